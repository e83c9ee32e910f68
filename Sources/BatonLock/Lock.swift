// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// A shared, distributed lock: `valkey.lock.Lock` in Swift, over any ``LockStore``.
///
/// ```swift
/// let lock = try Lock(store, name: "report", timeout: .seconds(10))
/// try await lock.withLock { lease in
///     try await writeReport(fence: lease.fence)
/// }
/// ```
///
/// **What it guarantees.** While ``lease`` is valid no other holder was granted the lock, as long as this machine's and
/// the store's clocks tick at the same rate (within 1 %) and the store keeps its data. With `guarded: true` also when
/// the store loses its data, is restarted, or is told to delete the lock.
///
/// **What it does not.** No lock service can stop a process that is suspended with the lock in its hand, and goes on
/// when it wakes. For that, hand ``Lease/fence`` to what the lock protects and let that refuse smaller numbers.
///
/// The lock is not re-entrant. It may be shared by tasks: see ``TokenScope`` for what they see of each other.
public final class Lock: Sendable {
    /// Who sees the token of a lock that is shared by several tasks.
    public enum TokenScope: Sendable, Equatable {
        /// Every task that has the `Lock`: the seed's `thread_local=False`.
        case shared
        /// Only tasks inside the `scoped` or `withLock` that acquired it: what the seed's `thread_local=True` is for.
        case task
    }

    struct Held: Sendable {
        var token: Bytes
        var fence: Int64?
        /// D; nil without a timeout.
        var deadline: Instant?
        /// How often a change of the lease was heard of.
        var changes = 0
    }

    final class TokenBox: Sendable {
        let held = Mutex<Held?>(nil)

        /// The lease of `token` ends then, if not earlier.
        func limit(_ token: Bytes, to end: Instant) {
            held.withLock { held in
                guard held?.token == token, let deadline = held?.deadline else { return }
                held?.deadline = min(deadline, end)
            }
        }

        /// A change was confirmed that was asked for when the lease stood as in `before`.
        func renewed(_ before: Held, until end: Instant) {
            held.withLock { held in
                guard let now = held, now.token == before.token else { return }
                // Another change was heard of meanwhile, and the store's order is not known: the earlier end counts.
                held?.deadline = now.changes == before.changes ? end : min(end, now.deadline ?? end)
                held?.changes += 1
            }
        }
    }

    @TaskLocal static var scopes: [ObjectIdentifier: TokenBox] = [:]

    /// The lock's name, which is its key in the store.
    public let name: String
    /// How long a grant lasts unless it is renewed; nil: for ever.
    public let timeout: Duration?
    /// The longest pause between two attempts. Releases by Baton wake a waiter at once; other clients say nothing.
    public let sleep: Duration
    /// Whether `acquire` waits, unless the call says otherwise.
    public let blocking: Bool
    /// How long `acquire` waits, unless the call says otherwise; nil: for ever.
    public let blockingTimeout: Duration?
    /// Who sees the token.
    public let tokenScope: TokenScope

    let client: LockClient
    let waiter: Waiter
    private let shared = TokenBox()

    /// A lock; nothing is sent yet.
    ///
    /// - Parameters:
    ///   - store: where the lock is kept.
    ///   - name: the key. Not empty.
    ///   - timeout: the TTL; at least 3 ms, or nothing of a lease is left after its margin. Nil: the lock stays until it is released, even if its holder dies.
    ///   - sleep: the longest pause between attempts, default 0.1 s.
    ///   - blocking: whether `acquire` waits.
    ///   - blockingTimeout: how long it waits; nil: for ever.
    ///   - tokenScope: who sees the token.
    ///   - fences: whether every grant brings a fence (one companion key, `{name}:fence`).
    ///   - guarded: whether losses of the store's data are survived (companion key `{name}:epoch`). The first use of a
    ///     guarded lock on a store waits `maxLockTimeout` once. Needs a timeout.
    ///   - maxLockTimeout: the longest lease on this store, the same for all its users; only used when guarded.
    /// - Throws: ``LockError`` with code `invalidArgument` for values that can never work.
    public init(
        _ store: any LockStore, name: String, timeout: Duration? = nil, sleep: Duration = .milliseconds(100),
        blocking: Bool = true, blockingTimeout: Duration? = nil, tokenScope: TokenScope = .shared,
        fences: Bool = true, guarded: Bool = false, maxLockTimeout: Duration = .seconds(30)
    ) throws(LockError) {
        func reject(_ why: String) -> LockError { LockError(.invalidArgument, lock: name, why) }
        if name.isEmpty { throw LockError(.invalidArgument, "a lock needs a name") }
        if name.utf8.count > 512 { throw reject("the name is longer than 512 bytes") }
        if let timeout, timeout < .milliseconds(1) {
            throw reject("timeout \(timeout) is below 1 ms; leave it out for a lock that never expires")
        }
        if let timeout, timeout > .seconds(10 * 365 * 86_400) { throw reject("timeout \(timeout) is above ten years") }
        if sleep < .milliseconds(1) { throw reject("sleep \(sleep) is below 1 ms") }
        if let blockingTimeout, blockingTimeout < .zero { throw reject("blockingTimeout is negative") }
        if guarded {
            guard let timeout else { throw reject("a guarded lock needs a timeout: the guard waits for leases to end") }
            if timeout > maxLockTimeout {
                throw reject("timeout \(timeout) exceeds maxLockTimeout \(maxLockTimeout)")
            }
        }
        self.name = name
        self.timeout = timeout
        self.sleep = sleep
        self.blocking = blocking
        self.blockingTimeout = blockingTimeout
        self.tokenScope = tokenScope
        let timing = LeaseTiming(timeout: timeout ?? .seconds(30), killLatency: .zero, requestTimeout: .seconds(1))
        if let timeout, timeout <= timing.drift {
            throw reject("timeout \(timeout) leaves nothing of a lease after its margin of \(timing.drift)")
        }
        client = LockClient(
            store: store, keys: LockKeys(name: Bytes(name.utf8)), name: name,
            policy: LockPolicy(
                timing: timing, expires: timeout != nil,
                guarding: guarded ? .init(maxLockTimeout: maxLockTimeout) : nil,
                fences: fences, heedsMarks: false, longestWait: sleep))
        waiter = Waiter(client.policy)
    }

    var box: TokenBox? {
        switch tokenScope {
        case .shared: shared
        case .task: Lock.scopes[ObjectIdentifier(self)]
        }
    }

    var held: Held? { box?.held.withLock { $0 } }

    /// The present lease, as far as this process knows; nil when nothing is held.
    public var lease: Lease? { held.map { Lease(fence: $0.fence, deadline: $0.deadline) } }
}
