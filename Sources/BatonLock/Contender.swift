// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem

/// One acquire call on its way to the lock: the shell around a ``CompetitionMachine``.
///
/// What it does is not inlined, here and elsewhere in waits: what it uses would be kept in each waiting task's frame.
package final class Contender {
    private let client: LockClient
    private let waiter: Waiter
    private let holder: (() -> Bytes)?
    private let tell: ((Waiting) -> Void)?
    private var machine: CompetitionMachine
    private var place: WaitingRoom.Place?
    /// What it ends with, if neither with the lock nor because its time is up.
    private var failure: any Error = CancellationError()
    /// Why the lock was not granted so far; nil: it is not known.
    private(set) var news: Waiting?
    /// What the store may hold the lock for, now or later, although the call has ended; nil: nothing.
    private(set) var doubt: Doubt?
    /// What the ledger says, if it is why the lock was not granted with the claim; nil: it is not.
    package private(set) var ledger: LedgerView?

    /// - Parameters:
    ///   - client: the lock.
    ///   - token: the caller's own; nil: 128 random bits.
    ///   - doubt: an earlier call's, which may hold the lock with a token of ours: then that token is used.
    ///   - sleep: the longest pause between two requests; nil: as long as the rules allow.
    ///   - handicap: so much later than it might it asks, each time: others go first.
    ///   - claim: what is claimed with the lock; nil: nothing.
    ///   - waiter: what earlier calls learned.
    ///   - holder: the holder record, made anew for every request.
    ///   - tell: told each time the call begins to wait.
    package init(
        _ client: LockClient, token: Bytes? = nil, after doubt: Doubt? = nil, sleep: Duration? = nil,
        handicap: Duration = .zero, claim: LedgerClaim? = nil, waiter: Waiter, holder: (() -> Bytes)? = nil,
        tell: ((Waiting) -> Void)? = nil
    ) {
        self.client = client
        self.waiter = waiter
        self.holder = holder
        self.tell = tell
        machine = CompetitionMachine(
            keys: client.keys, policy: client.policy, token: token ?? doubt?.token ?? Token.fresh(),
            tokenIsFresh: token == nil, isDoubted: doubt != nil, longestWait: sleep, handicap: handicap, claim: claim)
    }

    /// Competes for the lock until it is granted, `deadline` comes, or the task is cancelled.
    ///
    /// - Parameters:
    ///   - deadline: nil: for ever. When it has passed already, the store is asked once.
    ///   - bell: rings when it is worth asking again; nil: listens for announcements itself.
    ///   - place: the first of its line, which is told how the lock stands; nil: nobody else of this process waits.
    /// - Returns: nil when `deadline` came first, or when the claim has to be decided on anew (``ledger``).
    /// - Throws: `LockError` when the store refuses for good, `CancellationError`. An unreachable store is waited for.
    package func compete(
        until deadline: Instant?, bell: Doorbell? = nil, in place: WaitingRoom.Place? = nil
    ) async throws -> LockGrant? {
        self.place = place
        var ending = await proceed(after: .began(until: deadline), bell)
        if ending == nil { ending = try await listen() }
        if let withdrawal = machine.withdrawal(at: BootClock.now()) { doubt = await carryOut(withdrawal) }
        switch ending {
        case .granted(let grant): return grant
        case .timeUp: return nil
        case .ledger(let view):
            ledger = view
            return nil
        case .cancelled, .refused, nil: throw failure
        }
    }

    /// Goes on with announcements.
    private func listen() async throws -> CompetitionMachine.Ending? {
        do {
            return try await client.store.withAnnouncements(of: client.keys) { bell in
                // A release between the last request and the subscription would be missed: ask once more.
                await proceed(after: .woke, bell)
            }
        } catch {
            failure = error
            _ = handle(.cancelled)
            return nil
        }
    }

    /// Goes on until the end. Nil when it is to wait and has no bell.
    private func proceed(after event: CompetitionMachine.Event, _ bell: Doorbell?) async -> CompetitionMachine.Ending? {
        var action = handle(Task.isCancelled ? .cancelled : event)
        while true {
            switch action {
            case .wait(let instant):
                guard let bell else { return nil }
                await bell.wait(until: instant)
                action = handle(Task.isCancelled ? .cancelled : .woke)
            case .pause(let instant):
                try? await BootClock.sleep(until: instant)  // ended early: cancelled
                action = handle(Task.isCancelled ? .cancelled : .woke)
            case .look: action = await look()
            case .ask: action = await ask()
            case .over(let ending): return ending
            }
        }
    }

    @inline(never)
    private func handle(_ event: CompetitionMachine.Event) -> CompetitionMachine.Action {
        waiter.handle(event, by: &machine, serverTime: client.store.serverTime(), at: BootClock.now())
    }

    // MARK: One request

    private func look() async -> CompetitionMachine.Action {
        do throws(LockError) {
            _ = try await client.look()
            return handle(.looked)
        } catch {
            return failed(error)
        }
    }

    private func ask() async -> CompetitionMachine.Action {
        do throws(LockError) {
            let sentAt = try client.leaseStart()
            let answer = try await client.store.acquire(request(), timeout: client.policy.answerTimeout)
            return received(answer, sentAt: sentAt)
        } catch {
            return failed(error)
        }
    }

    @inline(never)
    private func request() -> AcquireRequest {
        var request = machine.request
        if let holder { request.holder = holder() }
        return request
    }

    @inline(never)
    private func received(_ answer: Stamped<AcquireReply>, sentAt: Instant) -> CompetitionMachine.Action {
        // Who was granted the lock does not wait; the system's generator costs a system call.
        // A lock that ran out is to be taken over within 20 ms.
        let jitter = if case .granted = answer.reply { 0 } else { Int.random(in: 0...12) }
        let action = handle(
            .answered(
                answer.reply, serverTime: answer.serverTime, clock: answer.time.clock, sentAt: sentAt,
                jitter: .milliseconds(jitter)))
        if let reason = machine.reason { waits(.lock(reason, answer.reply.sighting)) }
        return action
    }

    @inline(never)
    private func failed(_ error: LockError) -> CompetitionMachine.Action {
        if error.isPassing { waits(.store(error)) } else { failure = error }
        let kind: CompetitionMachine.Failure =
            error.code == .unknownOutcome ? .unanswered : error.isPassing ? .passing : .final
        return handle(.failed(kind, jitter: .random(in: 0..<1)))
    }

    private func waits(_ reason: Waiting) {
        news = reason
        tell?(reason)
        if let place { client.store.waitingRoom.tell(reason, to: place) }
    }

    // MARK: The end without a lock

    /// Deletes what an unanswered request may have left. Shielded from cancellation.
    private func carryOut(_ withdrawal: WithdrawalMachine) async -> Doubt? {
        let client = client
        // Nobody ever heard of the grant: nothing of what was claimed with it was begun.
        let outcome = machine.request.claim.map {
            RunRecord(run: $0.entry(fence: 0, at: 0), outcome: RunEnding.withdrawn.bytes, line: nil)
        }
        return await uncancelled {
            var withdrawal = withdrawal
            var action = withdrawal.handle(.began, at: BootClock.now())
            while true {
                switch action {
                case .release:
                    // Asked again if it fails.
                    let isAnswered =
                        (try? await client.release(token: withdrawal.doubt.token, outcome: outcome)) != nil
                    action = withdrawal.handle(isAnswered ? .released : .releaseFailed, at: BootClock.now())
                case .pause(let instant):
                    try? await BootClock.sleep(until: instant)  // nobody cancels it
                    action = withdrawal.handle(.woke, at: BootClock.now())
                case .over(let doubt): return doubt
                }
            }
        }
    }
}

extension AcquireReply {
    /// What was seen of the holder, if there is one.
    var sighting: Sighting? {
        switch self {
        case .held(let sighting), .orphaned(let sighting): sighting
        case .granted, .unsettled, .marked, .ledger, .late: nil
        }
    }
}
