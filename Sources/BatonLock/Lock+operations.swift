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
        try await granted(wait, token: token) != nil
    }

    /// What was acquired; nil when the time was up first.
    func granted(_ wait: Wait?, token: [UInt8]? = nil) async throws -> Held? {
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
        let grant = try await client.compete(token: token, until: deadline, bell: nil, waiter: waiter) {
            waiting in
            if case .store(let message) = waiting { failure.set(message) } else { failure.set(nil) }
        }
        guard let grant else {
            if let message = failure.get() { throw LockError(.unreachable, lock: name, message) }
            return nil
        }
        let held = Held(
            token: grant.token, fence: grant.fence,
            deadline: timeout.map { _ in client.policy.timing.deadline(sentAt: grant.sentAt) })
        box.held.withLock { $0 = held }
        return held
    }

    /// Releases the lock and wakes a waiter. Shielded from cancellation.
    ///
    /// - Throws: ``LockError``: `notHeld` when nothing was acquired, `notOwned` when the lock is another's or nobody's
    ///   by now. After any other error the token is kept, and `release` may be called again.
    public func release() async throws {
        guard let held else { throw LockError(.notHeld, lock: name, "cannot release a lock that is not held") }
        try await release(held)
    }

    /// Releases what was acquired as `held`, which in a shared lock need not be what it holds by now.
    func release(_ held: Held) async throws {
        let outcome = await uncancelled { [client] () -> Swift.Result<Bool, LockError> in
            do throws(LockError) { return .success(try await client.release(token: held.token)) } catch {
                return .failure(error)
            }
        }
        let wasOurs = try outcome.get()
        box?.held.withLock { if $0?.token == held.token { $0 = nil } }
        if !wasOurs { throw LockError(.notOwned, lock: name, "cannot release a lock that is no longer owned") }
    }

    /// Adds time to a held lock, or, with `replaceTTL`, sets its TTL to so much.
    ///
    /// - Returns: always true; a lock that is gone is an error.
    /// - Throws: ``LockError``: `notHeld`, `noTimeout`, `notOwned`; `invalidArgument` for a TTL that would not be
    ///   positive, before anything is sent; the store's own.
    @discardableResult
    public func extend(_ additional: Duration, replaceTTL: Bool = false) async throws -> Bool {
        guard let held else { throw LockError(.notHeld, lock: name, "cannot extend a lock that is not held") }
        guard timeout != nil else { throw LockError(.noTimeout, lock: name, "cannot extend a lock with no timeout") }
        let now = BootClock.now()
        // The store refuses it too; but what would delete the lock is not even sent.
        let least = replaceTTL ? additional : additional + max(.zero, (held.deadline ?? now) - now)
        if additional <= .zero || replaceTTL, least < .milliseconds(1) {
            throw LockError(.invalidArgument, lock: name, "extending by \(additional) would delete the lock")
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
        // What shortens the lease holds from now on: if its answer is lost, it may have been done all the same.
        box.limit(held.token, to: earliestEnd(of: held, after: change, at: BootClock.now()))
        let (reply, sentAt) = try await client.renew(
            token: held.token, change: change, deadline: held.deadline, fence: held.fence, holder: nil,
            within: client.policy.answerTimeout)
        switch reply {
        case .renewed(let left):
            box.renewed(held, until: sentAt + left - LeaseTiming.margin(of: left))
        case .lost:
            box.limit(held.token, to: BootClock.now())
            throw LockError(.notOwned, lock: name, "cannot \(verb) a lock that is no longer owned")
        case .unsettled:
            throw LockError(.unavailable, lock: name, "the store lost its data and does not know this lock any more")
        }
    }

    private func earliestEnd(of held: Held, after change: RenewRequest.Change, at now: Instant) -> Instant {
        switch change {
        case .reset(let length): now + length - LeaseTiming.margin(of: length)
        case .add(let more): (held.deadline ?? now) + min(more, .zero)
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
        // As it stands after the answer: meanwhile it may have been given back, or its lease may have ended.
        guard let now = self.held, now.token == held.token, view.token == held.token else { return false }
        return now.deadline.map { BootClock.now() < $0 } ?? true
    }
}
