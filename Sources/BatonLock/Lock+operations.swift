// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

extension Lock {
    /// How long an `acquire` waits, where it differs from the lock's own settings. The seed's `blocking` and
    /// `blocking_timeout` of a call.
    public enum Wait: Sendable, Equatable {
        /// Try once. The seed's `blocking=False`.
        case no
        /// Until granted. (The seed cannot say this per call.)
        case forever
        /// At most so long; zero or less: try once. The seed's `blocking_timeout`; it may give up by `sleep` earlier,
        /// here all of the time is used.
        case atMost(Duration)
    }

    /// Acquires the lock. The seed's `acquire`.
    ///
    /// Tasks of one process that wait for one lock of one store stand in a line: first come, first served. Among
    /// processes there is no order.
    ///
    /// - Parameters:
    ///   - wait: whether, and for how long, to wait; nil: as the lock was made. The seed's `blocking` and
    ///     `blocking_timeout`.
    ///   - sleep: the longest pause between two attempts of this call, at least 1 ms; nil: as the lock was made.
    ///   - token: the value to use, verbatim, at least one byte; nil: 128 random bits as 32 hexadecimal digits. With a
    ///     token of your own a lost answer can't be told from somebody else's lock: such an acquire ends with
    ///     `unknownOutcome`.
    /// - Returns: true once the lock is ours; false when the time is up first.
    /// - Throws: ``LockError``: `unreachable` or `unavailable` when the store was neither within the wait; its refusals;
    ///   `invalidArgument` for a lock with `tokenScope: .task` outside of a scope. `CancellationError`. No lock is left
    ///   behind, with one exception: after `unknownOutcome` the store may hold the lock for this call, which could not
    ///   take it back. ``release()`` does, and the next `acquire` without a token of its own takes it over.
    ///   A lock that somebody else holds is not an error.
    @discardableResult
    public func acquire(_ wait: Wait? = nil, sleep: Duration? = nil, token: [UInt8]? = nil) async throws -> Bool {
        try await granted(wait, sleep: sleep, token: token) != nil
    }

    /// Acquires the lock with a token of the caller's: ``acquire(_:sleep:token:)-(_,_,[UInt8]?)`` with its UTF-8.
    @discardableResult
    public func acquire(_ wait: Wait? = nil, sleep: Duration? = nil, token: String) async throws -> Bool {
        try await granted(wait, sleep: sleep, token: Bytes(token.utf8)) != nil
    }

    /// What was acquired; nil when the time was up first.
    func granted(_ wait: Wait?, sleep: Duration? = nil, token: Bytes? = nil) async throws -> Term? {
        let call = try Call(of: self, wait, sleep: sleep, token: token)
        defer { call.leave() }
        if try await !call.turn() { return try call.notGranted() }
        return try await call.compete()
    }

    /// Releases the lock and wakes a waiter. Shielded from cancellation. The seed's `release`.
    ///
    /// After an `acquire` that ended with `unknownOutcome` it gives back what that may have got.
    ///
    /// - Throws: ``LockError``: `notHeld` when nothing was acquired, `notOwned` when the lock is another's or nobody's
    ///   by now: it is forgotten then. After any other error the token is kept, and `release` may be called again.
    public func release() async throws {
        if let holding, let term = holding.term { return try await release(term, of: holding) }
        guard holding != nil, let doubt = doubts.take() else {
            throw LockError(.notHeld, lock: name, "cannot release a lock that is not held")
        }
        let wasOurs: Bool
        do { wasOurs = try await client.releaseShielded(token: doubt.token) } catch {
            doubts.leave(doubt)
            throw error
        }
        if !wasOurs { throw notOwned("release") }
    }

    /// Releases what was acquired as `term`, which in a shared lock need not be what it holds by now.
    func release(_ term: Term, of holding: Holding?) async throws {
        let wasOurs = try await client.releaseShielded(token: term.token)
        holding?.end(term)
        if !wasOurs { throw notOwned("release") }
    }

    private func notOwned(_ verb: String) -> LockError {
        LockError(.notOwned, lock: name, "cannot \(verb) a lock that is no longer owned")
    }

    /// Adds time to a held lock, or, with `replaceTTL`, sets its TTL to so much. The seed's `extend`.
    ///
    /// The next renewal, by `withLock` or ``reacquire()``, sets it back to the lock's timeout.
    ///
    /// - Parameters:
    ///   - additional: how much, to the millisecond; negative: the TTL becomes shorter.
    ///   - replaceTTL: whether `additional` takes the place of what is left; default false.
    /// - Returns: always true; a lock that is gone is an error.
    /// - Throws: ``LockError``, in this order: `notHeld`; `noTimeout`; `invalidArgument` for a TTL that would be below
    ///   1 ms, or for more than `maxLockTimeout` at once under the guard: nothing is sent then; `notOwned`; the store's
    ///   own, and `unavailable` when it lost a guarded lock's data and can't tell. After an error of the store the
    ///   lease counts as what is shorter: what it was, or what was asked for.
    @discardableResult
    public func extend(_ additional: Duration, replaceTTL: Bool = false) async throws -> Bool {
        guard let term else { throw LockError(.notHeld, lock: name, "cannot extend a lock that is not held") }
        guard timeout != nil else { throw LockError(.noTimeout, lock: name, "cannot extend a lock with no timeout") }
        let now = BootClock.now()
        // The store refuses it too; but what would delete the lock is not even sent.
        let least = replaceTTL ? additional : additional + max(.zero, (term.deadline ?? now) - now)
        if additional <= .zero || replaceTTL, least < .milliseconds(1) {
            throw LockError(.invalidArgument, lock: name, "extending by \(additional) would delete the lock")
        }
        if let bound = client.policy.guarding?.maxLockTimeout, additional > bound {
            throw LockError(.invalidArgument, lock: name, "\(additional) exceeds maxLockTimeout \(bound)")
        }
        try await renew(replaceTTL ? .reset(additional) : .add(additional), verb: "extend")
        return true
    }

    /// Sets a held lock's TTL back to the whole timeout: the heartbeat. The seed's `reacquire`.
    ///
    /// Under ``withLock(_:sleep:_:)`` this happens by itself.
    ///
    /// - Returns: always true; a lock that is gone is an error.
    /// - Throws: ``LockError``: `notHeld`; `noTimeout`; `notOwned`; the store's own, as for ``extend(_:replaceTTL:)``.
    @discardableResult
    public func reacquire() async throws -> Bool {
        guard term != nil else { throw LockError(.notHeld, lock: name, "cannot reacquire a lock that is not held") }
        guard let timeout else {
            throw LockError(.noTimeout, lock: name, "cannot reacquire a lock with no timeout")
        }
        try await renew(.reset(timeout), verb: "reacquire")
        return true
    }

    private func renew(_ change: RenewRequest.Change, verb: String) async throws {
        guard let term else { throw LockError(.notHeld, lock: name, "cannot \(verb) a lock that is not held") }
        let changes = term.changes
        // What shortens the lease holds from now on: if its answer is lost, it may have been done all the same.
        term.limit(to: earliestEnd(of: term, after: change, at: BootClock.now()))
        let (reply, sentAt, time) = try await client.renew(
            token: term.token, change: change, deadline: term.deadline, fence: term.fence, holder: nil,
            within: client.policy.answerTimeout)
        switch reply {
        case .renewed(let left):
            let length = left - LeaseTiming.margin(of: left)
            term.renewed(
                since: changes, until: sentAt + length,
                ServerDeadline(granted: time, sentAt: sentAt, lasting: length))
        case .lost:
            term.lose(.refused)
            throw notOwned(verb)
        case .unsettled:
            throw LockError(.unavailable, lock: name, "the store lost its data and does not know this lock any more")
        }
    }

    private func earliestEnd(of term: Term, after change: RenewRequest.Change, at now: Instant) -> Instant {
        switch change {
        case .reset(let length): now + length - LeaseTiming.margin(of: length)
        case .add(let more): (term.deadline ?? now) + min(more, .zero)
        }
    }

    /// Whether anybody holds the lock, says the store. The seed's `locked`.
    ///
    /// - Throws: ``LockError`` of the store's.
    public func locked() async throws -> Bool {
        try await client.look().token != nil
    }

    /// Whether this `Lock` holds the lock, says the store. Never true past the lease's end. The seed's `owned`.
    ///
    /// - Throws: ``LockError`` of the store's. A lock that was never acquired is not an error, and not asked about.
    public func owned() async throws -> Bool {
        guard let term else { return false }
        let view = try await client.look()
        // As it stands after the answer: meanwhile it may have been given back, or its lease may have ended.
        return self.term === term && view.token == term.token && term.isValid(at: BootClock.now())
    }
}
