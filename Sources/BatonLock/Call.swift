// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// One call of acquire: its arguments, and its place in the line of this process.
///
/// An object, and what it does is not inlined: a thousand calls that wait keep no more than this each.
final class Call {
    private let lock: Lock
    private let holding: Lock.Holding
    private let token: Bytes?
    private let sleep: Duration
    private let deadline: Instant?
    /// Nil: there is no time to stand in line.
    private let place: WaitingRoom.Place?

    /// - Throws: `invalidArgument` for what can never work.
    @inline(never)
    init(of lock: Lock, _ wait: Lock.Wait?, sleep: Duration?, token: Bytes?) throws(LockError) {
        guard let holding = lock.holding else {
            throw LockError(
                .invalidArgument, lock: lock.name, "a lock with tokenScope .task is acquired inside scoped { … }")
        }
        if token?.isEmpty == true {
            throw LockError(.invalidArgument, lock: lock.name, "a token has at least one byte")
        }
        if let sleep { try Lock.check(sleep: sleep, lock: lock.name) }
        self.lock = lock
        self.holding = holding
        self.token = token
        self.sleep = sleep ?? lock.sleep
        let now = BootClock.now()
        switch wait ?? (lock.blocking ? lock.blockingTimeout.map { .atMost($0) } ?? .forever : .no) {
        case .no: deadline = now
        case .forever: deadline = nil
        case .atMost(let longest): deadline = now + max(longest, .zero)
        }
        // What may hold the lock without knowing it cannot stand behind others: they would wait for it.
        let isDoubted = token == nil && lock.doubts.mayBeTakenOver
        if isDoubted || deadline.map({ $0 <= now }) == true {
            place = nil
        } else {
            place = lock.client.store.waitingRoom.enter(.init(lock: lock.client.keys.lock, sleep: self.sleep))
        }
    }

    /// Waits behind those of this process who came before: only the first of a line asks the store.
    ///
    /// - Returns: false when the time was up first, and what the first was told is true for this call as well.
    func turn() async throws -> Bool {
        guard let place else { return true }
        // Who hears nothing from the first in the time it has, asks for itself.
        return try await lock.client.store.waitingRoom.turn(of: place, until: deadline) || news == nil
    }

    private var news: Waiting? {
        @inline(never) get { place.flatMap { lock.client.store.waitingRoom.news(for: $0) } }
    }

    /// Gives the place in the line up.
    @inline(never)
    func leave() {
        if let place { lock.client.store.waitingRoom.leave(place) }
    }

    /// Asks the store until it grants the lock. Nil when the time was up first.
    func compete() async throws -> Term? {
        let contender = contender()
        let outcome: Result<LockGrant?, any Error>
        do { outcome = .success(try await contender.compete(until: deadline, in: place)) } catch {
            outcome = .failure(error)
        }
        return try concluded(outcome, of: contender)
    }

    @inline(never)
    private func contender() -> Contender {
        Contender(
            lock.client, token: token, after: token == nil ? lock.doubts.take(where: \.tokenIsFresh) : nil,
            sleep: sleep, waiter: lock.waiter)
    }

    /// What came of an acquire: a term, nothing, or an error.
    @inline(never)
    private func concluded(_ outcome: Result<LockGrant?, any Error>, of contender: Contender) throws -> Term? {
        if let doubt = contender.doubt {
            lock.doubts.leave(doubt)
            let reason = if case .store(let error) = contender.news { ": \(error.message)" } else { "" }
            throw LockError(.unknownOutcome, lock: lock.name, "the store may hold the lock for this call\(reason)")
        }
        guard let grant = try outcome.get() else { return try notGranted(contender.news) }
        let timing = lock.client.policy.timing
        let term = Term(
            grant, lasting: lock.timeout.map { _ in timing.timeout - timing.drift }, clock: lock.client.store.clock)
        holding.begin(term)
        _ = lock.doubts.take { !$0.tokenIsFresh }  // cleared up: it does not hold the lock
        return term
    }

    /// What came of a call whose turn did not come.
    func notGranted() throws(LockError) -> Term? { try notGranted(news) }

    /// Nil: somebody else had the lock all the time. An error: the store did not answer.
    private func notGranted(_ news: Waiting?) throws(LockError) -> Term? {
        guard case .store(let error) = news else { return nil }
        // What an unanswered request may have done was undone: nothing about it is unknown any more.
        throw LockError(error.code == .unavailable ? .unavailable : .unreachable, lock: lock.name, error.message)
    }
}
