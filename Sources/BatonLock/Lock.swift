// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// A shared, distributed lock: valkey-py's `valkey.lock.Lock` in Swift, over any ``LockStore``.
///
/// That class is *the seed* in what follows: each symbol names its counterpart there.
///
/// ```swift
/// let lock = try Lock(store, name: "report", timeout: .seconds(10))
/// try await lock.withLock { lease in
///     try await write(report, lease.fence)
/// }
/// ```
///
/// **What it guarantees.** While ``lease`` is valid no other holder was granted the lock, as long as this machine's and
/// the store's clocks tick at the same rate (within 1 %), the store's clock is not set, and the store keeps its data.
/// With `guarded: true` also when the store's clock is set, and when the store loses its data, is restarted, or is told
/// to delete the lock.
///
/// **What it does not.** No lock service can stop a process that is suspended with the lock in its hand, and goes on
/// when it wakes. For that, hand ``Lease/fence`` to what the lock protects and let that refuse smaller numbers. All of
/// it is in <doc:Promises>.
///
/// **Time.** One request waits for its answer for a sixth of the timeout, but for 0.1 s at least and 1 s at most; 1 s
/// when there is no timeout.
///
/// The lock is not re-entrant: who holds it and asks again waits for itself. It may be shared by tasks: see
/// ``TokenScope`` for what they see of each other.
public final class Lock: Sendable {
    /// Who sees the token of a lock that is shared by several tasks. The seed's `thread_local`.
    ///
    /// Who does not see it holds nothing: `release`, `extend` and `reacquire` throw `notHeld`, `owned` is false.
    public enum TokenScope: Sendable, Equatable {
        /// Every task that has the `Lock`: the seed's `thread_local=False`. The default here. (The seed's is `True`.)
        case shared
        /// Only tasks inside the ``Lock/scoped(_:)`` or ``Lock/withLock(_:sleep:_:)`` that acquired it: what the seed's
        /// `thread_local=True` is for. Tasks that are started there inherit it, detached ones do not. Outside of a
        /// scope nothing can be acquired.
        case task
    }

    /// What is held by those who see it.
    final class Holding: Sendable {
        private let current = Mutex<Term?>(nil)

        var term: Term? { current.withLock { $0 } }

        func begin(_ term: Term) { current.withLock { $0 = term } }

        func end(_ term: Term) {
            current.withLock { if $0 === term { $0 = nil } }
            term.wasReleased()
        }
    }

    @TaskLocal static var scopes: [ObjectIdentifier: Holding] = [:]

    /// The lock's name, for messages: what is not UTF-8 in it is replaced, control characters are escaped. The seed's
    /// `name`.
    public let name: String
    /// How long a grant lasts unless it is renewed; nil, the default: for ever. The seed's `timeout`.
    ///
    /// Never changed by ``extend(_:replaceTTL:)``.
    public let timeout: Duration?
    /// The longest pause between two attempts, unless the call says otherwise; default 0.1 s. The seed's `sleep`.
    ///
    /// Releases by Baton wake a waiter at once; other clients say nothing.
    public let sleep: Duration
    /// Whether `acquire` waits, unless the call says otherwise; default true. The seed's `blocking`.
    public let blocking: Bool
    /// How long `acquire` waits, unless the call says otherwise; nil, the default: for ever. It means nothing when
    /// ``blocking`` is false. The seed's `blocking_timeout`.
    public let blockingTimeout: Duration?
    /// Who sees the token; default ``TokenScope/shared``. The seed's `thread_local`.
    public let tokenScope: TokenScope

    let client: LockClient
    let waiter: Waiter
    let doubts = Doubts()
    private let shared = Holding()

    /// A lock; nothing is sent yet. The seed's constructor.
    ///
    /// - Parameters:
    ///   - store: where the lock is kept. The seed's `valkey`.
    ///   - name: the key, 1 to 512 bytes, used as it is.
    ///   - timeout: the TTL; at least 3 ms, or nothing of a lease is left after its margin, and at most ten years. What
    ///     is not whole milliseconds is rounded up. Nil, the default: the lock stays until it is released, even if its
    ///     holder dies.
    ///   - sleep: the longest pause between attempts, at least 1 ms; default 0.1 s.
    ///   - blocking: whether `acquire` waits; default true.
    ///   - blockingTimeout: how long it waits; zero: one attempt; not negative. Nil, the default: for ever.
    ///   - tokenScope: who sees the token; default `shared`.
    ///   - fences: whether every grant brings a fence (one companion key, `{name}:fence`); default true.
    ///   - fenceFloor: a number that every fence is to exceed, for a store that may have lost what it knew: the largest
    ///     that the caller remembers. From 0, the default, to 2⁵³ − 2.
    ///   - guarded: whether losses of the store's data are survived (companion key `{name}:epoch`). The first use of a
    ///     guarded lock on a store waits `maxLockTimeout` once. Needs a timeout. Default false.
    ///   - maxLockTimeout: the longest lease, the same for all users of the lock; default 30 s. Only used when guarded.
    /// - Throws: ``LockError`` with code `invalidArgument` for values that can never work. A store that is not there is
    ///   no error here.
    public convenience init(
        _ store: any LockStore, name: String, timeout: Duration? = nil, sleep: Duration = .milliseconds(100),
        blocking: Bool = true, blockingTimeout: Duration? = nil, tokenScope: TokenScope = .shared,
        fences: Bool = true, fenceFloor: Int64 = 0, guarded: Bool = false, maxLockTimeout: Duration = .seconds(30)
    ) throws(LockError) {
        try self.init(
            store, name: Bytes(name.utf8), timeout: timeout, sleep: sleep, blocking: blocking,
            blockingTimeout: blockingTimeout, tokenScope: tokenScope, fences: fences, fenceFloor: fenceFloor,
            guarded: guarded, maxLockTimeout: maxLockTimeout)
    }

    /// A lock whose name need not be UTF-8. As ``init(_:name:timeout:sleep:blocking:blockingTimeout:tokenScope:fences:fenceFloor:guarded:maxLockTimeout:)-(_,String,_,_,_,_,_,_,_,_,_)``.
    public init(
        _ store: any LockStore, name: [UInt8], timeout: Duration? = nil, sleep: Duration = .milliseconds(100),
        blocking: Bool = true, blockingTimeout: Duration? = nil, tokenScope: TokenScope = .shared,
        fences: Bool = true, fenceFloor: Int64 = 0, guarded: Bool = false, maxLockTimeout: Duration = .seconds(30)
    ) throws(LockError) {
        if name.isEmpty { throw LockError(.invalidArgument, "a lock needs a name") }
        let shown = PrintableText.escaped(name)
        func reject(_ why: String) -> LockError { LockError(.invalidArgument, lock: shown, why) }
        if name.count > 512 { throw reject("the name is longer than 512 bytes") }
        if let timeout, timeout < .milliseconds(1) {
            throw reject("timeout \(timeout) is below 1 ms; leave it out for a lock that never expires")
        }
        if let timeout, timeout > .seconds(10 * 365 * 86_400) { throw reject("timeout \(timeout) is above ten years") }
        try Lock.check(sleep: sleep, lock: shown)
        if let blockingTimeout, blockingTimeout < .zero { throw reject("blockingTimeout is negative") }
        if !(0..<AcquireRequest.FenceRequest.largest).contains(fenceFloor) {
            throw reject("fenceFloor \(fenceFloor) is not from 0 to 2^53 - 2")
        }
        if guarded {
            guard let timeout else { throw reject("a guarded lock needs a timeout: the guard waits for leases to end") }
            if timeout > maxLockTimeout {
                throw reject("timeout \(timeout) exceeds maxLockTimeout \(maxLockTimeout)")
            }
        }
        self.name = shown
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
            store: store, keys: LockKeys(name: name), name: shown,
            policy: LockPolicy(
                timing: timing, expires: timeout != nil,
                guarding: guarded ? .init(maxLockTimeout: maxLockTimeout) : nil,
                fences: fences, heedsMarks: false))
        waiter = Waiter(client.policy, fence: fenceFloor)
    }

    static func check(sleep: Duration, lock name: String) throws(LockError) {
        if sleep < .milliseconds(1) { throw LockError(.invalidArgument, lock: name, "sleep \(sleep) is below 1 ms") }
    }

    /// What this task sees; nil outside of a scope, for a lock with `tokenScope: .task`.
    var holding: Holding? {
        switch tokenScope {
        case .shared: shared
        case .task: Lock.scopes[ObjectIdentifier(self)]
        }
    }

    var term: Term? { holding?.term }

    /// The present lease, as far as this process knows; nil when nothing is held, or nothing that this task sees.
    ///
    /// A lease that was lost is shown until the lock is released or acquired again, with a ``Lease/validUntil`` that
    /// has passed. The seed has nothing like it.
    public var lease: Lease? { term.map { Lease(term: $0) } }
}
