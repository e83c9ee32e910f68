// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// A scheduled job without a run here: the shell around a ``TickMachine``, until the job's lock is granted with a tick, or
/// there is nothing to do for a while.
struct TickContender: Sendable {
    let lock: LockClient
    let waiter: Waiter
    let context: NodeContext
    let job: String
    let handicap: Duration
    let planner: TickPlanner
    /// When this node began to look after the job.
    let upSince: Instant
    /// How often something was announced of the job so far; nil: somebody waits for what it does here.
    let rings: @Sendable () -> Int?
    /// Called when the store has said how the ledger stands.
    let looked: @Sendable () -> Void
    let tell: @Sendable (JobMachine.Event) -> Void
    let tellOfLock: @Sendable (Waiting) -> Void
    let logger: Logger

    enum Ending: Sendable {
        /// The lock, and what the run is to be called.
        case granted(LockGrant, runID: String)
        /// Nothing is to be done before that moment of the store's clock, unless something is announced that was not
        /// among those `rings`.
        case dormant(until: Int64, rings: Int)
    }

    /// - Parameter bell: rings when something may have changed.
    /// - Throws: `LockError` when the store refuses for good, `CancellationError`. An unreachable store is waited for.
    func compete(bell: Doorbell) async throws -> Ending {
        var machine = TickMachine(
            planner, node: context.name, maxLockTimeout: context.storeSettings.maxLockTimeout,
            upSince: upSince)
        var action = handle(.began, &machine)
        var told: JobMachine.Waiting?
        var news = OmissionNews()
        var rings: Int?
        while true {
            try Task.checkCancellation()
            switch action {
            case .wait(let until):
                let waiting = JobMachine.Waiting.tick(machine.nextTick)
                if machine.isIdle, told != waiting {
                    told = waiting
                    tell(.waiting(waiting))
                }
                if news.isEmpty, let moment = machine.dormantUntil(time: lock.store.tickTime()),
                    let known = self.rings()
                {
                    if known == rings { return .dormant(until: moment, rings: known) }
                    // Of what was announced since, a competition may have heard and not known what it means.
                    action = handle(.rang, &machine)
                    continue
                }
                // One that has passed would silence the bell.
                if BootClock.now() < until { await bell.wait(until: until) }
                action = handle(BootClock.now() < until ? .rang : .woke, &machine)
            case .settle(let expected, let tick, let omissions):
                rings = self.rings()
                let lines = lines(omissions)
                news.asked(omissions, lines, expecting: expected)
                action = handle(try await settle(expected, upTo: tick, lines, &news), &machine)
            case .claim(let turn, let expected, let until):
                told = nil
                rings = self.rings()
                let runID = RunID.fresh()
                let claim = claim(turn, expected, runID)
                news.asked(turn.omissions, claim.lines, expecting: expected)
                let contender = Contender(
                    lock, handicap: handicap, claim: claim, waiter: waiter, holder: { claim.info }, tell: tellOfLock)
                if let grant = try await contender.compete(until: until, bell: bell) {
                    context.ticks.saw(turn.tick, of: job)
                    for omission in news.granted(claim.lines) { tell(omission) }
                    return .granted(grant, runID: runID)
                }
                if let view = contender.ledger {
                    looked()
                    await tell(&news, view)
                }
                action = handle(contender.ledger.map { saw($0) } ?? .timeUp, &machine)
            case nil: action = .wait(until: .distantFuture)
            }
        }
    }

    private func handle(_ event: TickMachine.Event, _ machine: inout TickMachine) -> TickMachine.Action? {
        machine.handle(
            event, time: lock.store.tickTime(), floor: context.ticks.largest(of: job), at: BootClock.now())
    }

    private func settle(
        _ expected: LedgerEntry.Key?, upTo tick: Int64?, _ lines: [Bytes], _ news: inout OmissionNews
    ) async throws -> TickMachine.Event {
        let request = SettleRequest(
            keys: lock.keys, guarding: lock.policy.guarding, floor: context.ticks.largest(of: job),
            fence: context.fences.largest(of: job), expected: expected, tick: tick,
            lines: lines)
        do throws(LockError) {
            let view = try await lock.store.settle(request, timeout: lock.policy.answerTimeout).reply
            // Without a ledger there is none before one is opened, which may have to wait for the store.
            if view.entry != nil { looked() }
            await tell(&news, view)
            return saw(view)
        } catch {
            if !error.isPassing { throw error }
            tellOfLock(.store(error))
            return .failed(jitter: .random(in: 0..<1))
        }
    }

    private func saw(_ view: LedgerView) -> TickMachine.Event {
        if let entry = view.entry {
            context.ticks.saw(entry.tick, of: job)
            context.fences.saw(entry.fence, of: job)
        }
        return .saw(view)
    }

    private func claim(_ turn: TickPlan.Turn, _ expected: LedgerEntry.Key?, _ runID: String) -> LedgerClaim {
        LedgerClaim(
            expected: expected, tick: turn.tick, attempt: turn.attempt, manual: turn.manual,
            floor: context.ticks.largest(of: job),
            info: HolderRecord(node: context.name, runID: runID, since: WallClock.rfc3339()).encode(),
            lines: lines(turn.omissions))
    }

    private func lines(_ omissions: [TickPlan.Omission]) -> [Bytes] {
        HistoryLine.encoded(omissions, by: context.name)
    }

    /// Tells of what the store has done for this node, and for no other: its lines are in the history. One that can't be
    /// read now is read with the next answer.
    private func tell(_ news: inout OmissionNews, _ view: LedgerView) async {
        guard news.isDecided(view.entry),
            let history = try? await lock.store.history(
                of: lock.keys, limit: StoreModel.longestHistory, timeout: lock.policy.answerTimeout)
        else { return }
        for omission in news.found(history, view.entry) { tell(omission) }
    }

    private func tell(_ omission: TickPlan.Omission) {
        context.metrics.omitted([omission], of: job)
        logger.log(omission)
    }
}
