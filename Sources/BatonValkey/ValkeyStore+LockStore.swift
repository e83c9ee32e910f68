// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
public import BatonLock

extension ValkeyStore: LockStore {
    /// One attempt to be granted a lock. A plain request is the seed's `SET NX`, and leaves nothing but the lock.
    ///
    /// - Parameters:
    ///   - request: who asks for which lock, and for how long: 1 ms to 31 years, in whole milliseconds,
    ///     rounded up.
    ///   - timeout: how long an answer is waited for, connecting included.
    /// - Returns: the server's answer; that somebody else holds the lock is one.
    /// - Throws: `LockError`: `unreachable` without a connection in time, `unknownOutcome` without an answer in time,
    ///   `unavailable`, `refused`, `notPermitted` when the server says so, `protocolViolation` when it is none,
    ///   `invalidArgument` before anything is sent for what no server can do, `closed` after the end of `run()`.
    public func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        if request.isPlain { return try await acquirePlainly(request, timeout: timeout) }
        return try await run(ScriptCall.acquire(request), on: request.keys, timeout: timeout, isConfirmed: true) {
            answer throws(LockError) in try answer.acquireReply(to: request)
        }
    }

    /// What valkey-py sends, and in the same round trip what a `held` reply needs.
    private func acquirePlainly(
        _ request: AcquireRequest, timeout: Duration
    ) async throws(LockError) -> Stamped<AcquireReply> {
        try request.check()
        let key = request.keys.lock
        var set = Command(Array("SET".utf8), key, request.token, Array("NX".utf8))
        if let length = request.timeout {
            set.append("PX")
            set.append(ScriptCall.milliseconds(length))
        }
        let question = serverClock.ask()
        var commands = [set, Command(Array("PTTL".utf8), key), Command(Array("TIME".utf8))]
        let confirmation = confirmation(within: timeout)
        if let confirmation { commands.append(confirmation) }
        let replies = try await exchange(
            commands, isConfirmed: confirmation != nil, about: request.keys, timeout: timeout)
        // The TIME is a formality here; a user without the right to ask for it still gets the lock's truth.
        let time = replies[2].time
        let reply: AcquireReply
        switch replies[0] {
        case .string: reply = .granted(.init(fence: nil))
        case .null: reply = .held(ScriptAnswer.sighting(ttl: replies[1].number ?? -1, owner: nil, fence: 0))
        default:
            let error = nonsense()
            throw request.keys.error(error.code, error.message)
        }
        do { try checkConfirmed(replies) } catch { throw request.keys.error(error.code, error.message) }
        guard let time else { return Stamped(reply, serverTime: serverTime() ?? 0) }
        return Stamped(reply, at: serverClock.heard(time, inAnswerTo: question))
    }

    /// Sets the TTL of a held lock again, extends it, puts it back, or swaps its token.
    ///
    /// - Parameters:
    ///   - request: whose lock, and what its TTL becomes. What is added counts in whole milliseconds, rounded toward
    ///     zero.
    ///   - timeout: how long an answer is waited for, connecting included.
    /// - Returns: the server's answer; that the lock is not ours any more is one.
    /// - Throws: `LockError` as ``acquire(_:timeout:)``; `refused` when nothing would be left, or more than
    ///   `maxLockTimeout` under the guard.
    public func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try await run(ScriptCall.renew(request), on: request.keys, timeout: timeout, isConfirmed: true) {
            answer throws(LockError) in try answer.renewReply()
        }
    }

    /// Gives a lock back and announces it. True when it was ours.
    ///
    /// An operator's `down` mark that was set meanwhile is not replaced by `request.mark`.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``. That it is another's or nobody's is not an error.
    public func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        try await run(ScriptCall.release(request), on: request.keys, timeout: timeout) { $0.wasReleased() }
    }

    /// Looks at a lock without touching it.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``; `unavailable` from a replica, which may be behind. A lock that
    ///   nobody holds is not an error.
    public func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        try await look(at: keys, withLedger: false, timeout: timeout)
    }

    /// Looks at a lock, and at the job's ledger if that is wanted, without touching them.
    ///
    /// - Throws: `LockError` as ``look(at:timeout:)``.
    public func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        try await run(.look(at: keys, withLedger: withLedger), on: keys, timeout: timeout) {
            withLedger ? $0.viewWithLedger() : $0.view()
        }
    }

    /// Sets or clears (nil) the mark beside a lock, and announces it.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        try await run(.set(mark, on: keys), on: keys, timeout: timeout) { $0.wasMarked() }
    }

    /// Sets a mark that was there before the server lost its data.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool {
        try await run(.restore(mark, on: keys), on: keys, timeout: timeout) { $0.wasRestored() }
    }
}
