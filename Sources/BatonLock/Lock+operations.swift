// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

extension Lock {
    /// How long an `acquire` waits, where it differs from the lock's own settings.
    public enum Wait: Sendable, Equatable {
        /// Try once.
        case no
        /// Until granted. (The seed cannot say this per call.)
        case forever
        /// At most so long; zero or less: try once.
        case atMost(Duration)
    }

    /// Acquires the lock. True once it is ours; false when the time is up first.
    ///
    /// - Parameters:
    ///   - wait: nil: as the lock was made.
    ///   - token: the value to use, verbatim; nil: 128 random bits. With a token of your own a lost answer can't be told
    ///     from somebody else's lock: such an acquire may time out while the store holds the lock for it.
    /// - Throws: ``LockError`` when the store refuses, is not reachable within the wait, or for a lock with
    ///   `tokenScope: .task` outside of a scope; `CancellationError`, and then no lock is left behind.
    ///   A lock that somebody else holds is not an error.
    @discardableResult
    public func acquire(_ wait: Wait? = nil, token: [UInt8]? = nil) async throws -> Bool {
        guard let box else {
            throw LockError(
                .invalidArgument, lock: name, "a lock with tokenScope .task is acquired inside scoped { … }")
        }
        let now = BootClock.now()
        let deadline: Instant? =
            switch wait ?? (blocking ? blockingTimeout.map { .atMost($0) } ?? .forever : .no) {
            case .no: now
            case .forever: nil
            case .atMost(let longest): now + max(longest, .zero)
            }
        let failure = LastFailure()
        let grant = try await client.compete(token: token, until: deadline, bell: nil) { waiting in
            if case .store(let message) = waiting { failure.set(message) } else { failure.set(nil) }
        }
        guard let grant else {
            if let message = failure.get() { throw LockError(.unreachable, lock: name, message) }
            return false
        }
        box.held.withLock {
            $0 = Held(
                token: grant.token, fence: grant.fence,
                deadline: timeout.map { _ in client.policy.timing.deadline(sentAt: grant.sentAt) })
        }
        return true
    }

    /// Releases the lock and wakes a waiter. Shielded from cancellation.
    ///
    /// - Throws: ``LockError``: `notHeld` when nothing was acquired, `notOwned` when the lock is another's or nobody's
    ///   by now. After any other error the token is kept, and `release` may be called again.
    public func release() async throws {
        guard let box, let held = box.held.withLock({ $0 }) else {
            throw LockError(.notHeld, lock: name, "cannot release a lock that is not held")
        }
        let outcome = await uncancelled { [client] () -> Swift.Result<Bool, LockError> in
            do throws(LockError) { return .success(try await client.release(token: held.token)) } catch {
                return .failure(error)
            }
        }
        let wasOurs = try outcome.get()
        box.held.withLock { if $0?.token == held.token { $0 = nil } }
        if !wasOurs { throw LockError(.notOwned, lock: name, "cannot release a lock that is no longer owned") }
    }

    /// Adds time to a held lock, or, with `replaceTTL`, sets its TTL to so much.
    ///
    /// - Returns: always true; a lock that is gone is an error.
    /// - Throws: ``LockError``: `notHeld`, `noTimeout`, `notOwned`; `invalidArgument` for a TTL that would not be
    ///   positive, before anything is sent; the store's own.
    @discardableResult
    public func extend(_ additional: Duration, replaceTTL: Bool = false) async throws -> Bool {
        guard held != nil else { throw LockError(.notHeld, lock: name, "cannot extend a lock that is not held") }
        guard timeout != nil else { throw LockError(.noTimeout, lock: name, "cannot extend a lock with no timeout") }
        if replaceTTL, additional < .milliseconds(1) {
            throw LockError(.invalidArgument, lock: name, "a TTL of \(additional) would delete the lock")
        }
        if let bound = client.policy.guarding?.maxLockTimeout, additional > bound {
            throw LockError(.invalidArgument, lock: name, "\(additional) exceeds maxLockTimeout \(bound)")
        }
        try await renew(replaceTTL ? .reset(additional) : .add(additional), verb: "extend")
        return true
    }

    /// Sets a held lock's TTL back to the whole timeout: the heartbeat.
    ///
    /// - Returns: always true; a lock that is gone is an error.
    /// - Throws: as ``extend(_:replaceTTL:)``.
    @discardableResult
    public func reacquire() async throws -> Bool {
        guard held != nil else { throw LockError(.notHeld, lock: name, "cannot reacquire a lock that is not held") }
        guard let timeout else {
            throw LockError(.noTimeout, lock: name, "cannot reacquire a lock with no timeout")
        }
        try await renew(.reset(timeout), verb: "reacquire")
        return true
    }

    private func renew(_ change: RenewRequest.Change, verb: String) async throws {
        guard let box, let held = box.held.withLock({ $0 }) else {
            throw LockError(.notHeld, lock: name, "cannot \(verb) a lock that is not held")
        }
        let policy = client.policy
        let (reply, sentAt) = try await client.renew(
            token: held.token, change: change, deadline: held.deadline, fence: held.fence, holder: nil,
            within: policy.timing.attemptTimeout)
        switch reply {
        case .renewed(let left):
            let margin = left / 100 + .milliseconds(2)
            box.held.withLock { if $0?.token == held.token { $0?.deadline = sentAt + left - margin } }
        case .lost:
            throw LockError(.notOwned, lock: name, "cannot \(verb) a lock that is no longer owned")
        case .unsettled:
            throw LockError(.unavailable, lock: name, "the store lost its data and does not know this lock any more")
        }
    }

    /// Whether anybody holds the lock.
    public func locked() async throws -> Bool {
        try await client.look().token != nil
    }

    /// Whether this `Lock` holds the lock. Never true past the lease's end.
    public func owned() async throws -> Bool {
        guard let held else { return false }
        let view = try await client.look()
        if let deadline = held.deadline, BootClock.now() >= deadline { return false }
        return view.token == held.token
    }
}
