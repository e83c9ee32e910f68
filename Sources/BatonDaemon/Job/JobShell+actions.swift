// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// What each effect means in the world. None of them waits.
extension JobShell {
    mutating func perform(_ effect: JobLoop.Effect, _ group: inout DiscardingTaskGroup) {
        switch effect {
        case .compete(let election, let legacy): compete(election, legacy, &group)
        case .withdraw: withdrawal.ring()
        case .giveBack(let legacy): giveBack(legacy, &group)
        case .launch(let runID, let record): launch(runID, record, &group)
        case .listen(let runID): listen(to: runID, &group)
        case .dismiss(let runID):
            (arrivals.removeValue(forKey: runID) ?? link)?.close()
            discard(runID, &group)
        case .tell(let order): link?.send(order)
        case .clear(let runID): clear(runID, &group)
        case .killKeeper: link?.killKeeper()
        case .renew(let run, let deadline, let limit): renew(run, until: deadline, within: limit, &group)
        case .release(let record, let mark): release(record, mark, &group)
        case .settle(let run, let outcome): settle(run, outcome, &group)
        case .lookAtMark: lookAtMark(&group)
        case .recollect: context.recollection.want([definition.name])
        case .noteFence(let fence): context.fences.saw(fence, of: definition.name)
        case .wake(let instant): alarm.set(instant, runner, &group)
        case .moved(let event, let before, let after): tell(of: event, from: before, to: after)
        }
    }

    /// How a competition ends that was not withdrawn.
    fileprivate enum Outcome: Sendable {
        case won(LockGrant, runID: String)
        case dormant(JobRunner.Dormancy)
    }

    private mutating func compete(_ election: Int, _ legacy: LockLegacy?, _ group: inout DiscardingTaskGroup) {
        let withdrawal = Doorbell()
        self.withdrawal = withdrawal
        let runner = runner
        waiter.note(fence: context.fences.largest(of: definition.name))
        let contend = definition.schedule.map { contenderForTicks($0, legacy) } ?? contender(legacy)
        group.addTask {
            await withTaskGroup(of: Outcome?.self) { inner in
                inner.addTask {
                    do {
                        return try await contend()
                    } catch let error as LockError {
                        runner.send(.electionFailed(error.message))
                    } catch {}  // cancelled: nothing was left behind
                    return nil
                }
                inner.addTask {
                    await withdrawal.wait(until: .distantFuture)
                    return nil
                }
                let first = await inner.next() ?? nil
                inner.cancelAll()
                // The other one has nothing to add, and a grant is not kept waiting until it has noticed.
                if let first { runner.tell(of: first, election) }
                let second = await inner.next() ?? nil
                if first == nil { runner.tell(of: second, election) }
            }
        }
    }

    /// For the lock alone; what the loop before left is kept, if that is possible.
    private func contender(_ legacy: LockLegacy?) -> @Sendable () async throws -> Outcome? {
        let runID = RunID.fresh()
        let (runner, lock, bell, node, logger, waiter) = (runner, lock, competition, context.name, logger, waiter)
        let handicap = definition.placement.handicap(of: context.profile)
        return {
            let handover = legacy.map { Handover(lock: lock, legacy: $0, logger: logger) }
            if let grant = await handover?.takeOver(node: node, runID: runID) {
                return .won(grant, runID: runID)
            }
            let grant = try await Contender(
                lock, handicap: handicap, waiter: waiter,
                holder: { HolderRecord(node: node, runID: runID, since: WallClock.rfc3339()).encode() },
                tell: { runner.tell($0) }
            ).compete(until: nil, bell: bell)
            return grant.map { .won($0, runID: runID) }
        }
    }

    /// For the lock with a tick.
    private func contenderForTicks(
        _ schedule: ScheduleSettings, _ legacy: LockLegacy?
    ) -> @Sendable () async throws -> Outcome? {
        let (runner, lock, bell, logger) = (runner, lock, competition, logger)
        let contender = TickContender(
            lock: lock, waiter: waiter, context: context, job: definition.name,
            handicap: definition.placement.handicap(of: context.profile),
            planner: TickPlanner(job: definition.name, settings: schedule), upSince: upSince - .seconds(5),
            rings: { runner.rings }, looked: { runner.waker?.looked() }, tell: { runner.send($0) },
            tellOfLock: { runner.tell($0) }, logger: logger)
        return {
            // The job had no schedule before: that lock has no tick.
            if let legacy { await Handover(lock: lock, legacy: legacy, logger: logger).giveBack() }
            switch try await contender.compete(bell: bell) {
            case .granted(let grant, let runID): return .won(grant, runID: runID)
            case .dormant(let moment, let rings): return .dormant(.init(until: moment, rings: rings))
            }
        }
    }

    private func giveBack(_ legacy: LockLegacy, _ group: inout DiscardingTaskGroup) {
        let handover = Handover(lock: lock, legacy: legacy, logger: logger)
        group.addTask { await handover.giveBack() }
    }

    private mutating func launch(_ runID: String, _ record: LeaseRecord, _ group: inout DiscardingTaskGroup) {
        since = WallClock.rfc3339()
        launched = (runID, since)
        let (runner, runs, definition, node) = (runner, context.runs, definition, context.name)
        group.addTask {
            do {
                try await runs.gate.pass {
                    let link = try await runs.launch(definition, runID: runID, record: record, node: node)
                    runner.send(.launched(runID: runID, .success(link)))
                    _ = await link.greeting.first(within: .seconds(2)) { true }
                }
            } catch {
                runner.send(.launched(runID: runID, .failure(error)))
            }
        }
    }

    private mutating func listen(to runID: String, _ group: inout DiscardingTaskGroup) {
        guard let link = arrivals.removeValue(forKey: runID) else { return }
        self.link = link
        let runner = runner
        // A fence is the store's time of the grant, or a little more: ticks that were due before it replace nothing.
        if let turn = loop.run?.record.turn {
            replaceWhenDue(runID, after: max(turn.tick, turn.fence / 1_000_000), &group)
        }
        group.addTask {
            for await event in link.events {
                switch event {
                case .report(let report): runner.send(.keeper(runID: runID, report))
                case .disconnected, .keeperDied: runner.send(.keeper(runID: runID, nil))
                }
            }
        }
    }

    /// Clears away what a run left behind that never ran.
    private func discard(_ runID: String, _ group: inout DiscardingTaskGroup) {
        let (runs, job) = (context.runs, definition.name)
        group.addTask {
            await uncancelled { await runs.discard(job: job, runID: runID) }
        }
    }

    /// Kills whatever is left of a run, and tells the loop when nothing is.
    private func clear(_ runID: String, _ group: inout DiscardingTaskGroup) {
        let (runner, runs) = (runner, context.runs)
        group.addTask {
            let end = await runs.clear(job: runner.definition.name, runID: runID)
            runner.send(.treeGone(runID: runID, end.map { RunOutcome($0) }))
        }
    }

    private func renew(
        _ run: ActiveRun, until deadline: Instant, within limit: Duration, _ group: inout DiscardingTaskGroup
    ) {
        let (runner, runs) = (runner, context.runs)
        let holder = HolderRecord(node: context.name, runID: run.runID, since: since).encode()
        let machine = RenewalMachine(
            run.record, isInherited: run.isInherited, fresh: Token.fresh(), holder: holder,
            jitter: .random(in: 0..<1))
        let renewal = Renewal(lock: lock, machine: machine, deadline: deadline)
        group.addTask {
            let (event, record) = await renewal.perform(within: limit) { record in
                try await runs.remember(record, job: runner.definition.name, runID: run.runID)
            }
            runner.send(.renewed(runID: run.runID, event, record))
        }
    }

    private func release(_ record: LeaseRecord, _ mark: Mark?, _ group: inout DiscardingTaskGroup) {
        let (runner, lock, logger, context) = (runner, lock, logger, context)
        let run = loop.run?.runID
        let ended = ended.flatMap { $0.runID == run ? $0.outcome : nil }
        let started = launched.flatMap { $0.runID == run ? $0.since : nil }
        group.addTask {
            let outcome = await runner.outcome(of: run, record, ended, started: started)
            var machine = ReleaseMachine(record)
            var action = machine.handle(.began)
            while case .release(let token) = action {
                do throws(LockError) {
                    action = machine.handle(
                        .answered(wasOurs: try await lock.release(token: token, mark: mark, outcome: outcome)))
                } catch {
                    logger.log(
                        level: .notice, "release failed", event: .releaseFailed, metadata: ["reason": "\(error)"])
                    action = machine.handle(.failed)
                }
            }
            if action == .over(isReleased: true), let run { context.outcomes.delivered(run) }
            runner.send(action == .over(isReleased: true) ? .released : .releaseFailed)
        }
    }

    private mutating func settle(_ run: ActiveRun, _ outcome: RunOutcome, _ group: inout DiscardingTaskGroup) {
        lastRun = StatusReport.LastRun(run: run.runID, outcome: outcome, node: context.name)
        context.metrics.ended(run.runID, of: definition.name, outcome)
        logger.log(
            level: outcome.isFailure ? .warning : .info, "run ended", event: outcome.event,
            metadata: Self.metadata(of: run, outcome, lastRun))
        ended = (run.runID, outcome)
        // Its record needs what is in the folder: the release clears it away.
        if run.record.turn == nil { runner.archive(run.runID, &group) }
    }

    /// The mark beside a lock that we hold may have changed: an operator stops the job from another node.
    private func lookAtMark(_ group: inout DiscardingTaskGroup) {
        let (runner, lock) = (runner, lock)
        group.addTask {
            for _ in 0..<5 where !Task.isCancelled {
                do throws(LockError) {
                    runner.send(.markSeen(try await lock.look().mark))
                    return
                } catch {
                    // The bell rings again after a reconnect; this is for an answer that was merely late.
                    try? await BootClock.sleep(until: BootClock.now() + .milliseconds(200))
                }
            }
        }
    }
}

extension JobRunner {
    fileprivate func archive(_ runID: String, _ group: inout DiscardingTaskGroup) {
        let (runs, job) = (context.runs, definition.name)
        // Also while the daemon stops: what is left in the run folder would be taken for a run of an earlier daemon.
        group.addTask { await uncancelled { await runs.archive(job: job, runID: runID) } }
    }

    /// What the store is to know of a claimed run's end; nil: nothing was claimed.
    ///
    /// - Parameter started: when it was launched, if that was by this daemon.
    fileprivate func outcome(
        of runID: String?, _ lease: LeaseRecord, _ ended: RunOutcome?, started: String?
    ) async -> RunRecord? {
        guard let runID, let turn = lease.turn else { return nil }
        let (runs, job) = (context.runs, definition.name)
        return await uncancelled { [context] in
            let (record, isNew) = await context.outcomes.outcome(of: runID, job: job, lease: lease) {
                guard let ended else { return RunRecord(run: turn, outcome: RunEnding.withdrawn.bytes, line: nil) }
                let tail = await runs.tail(job: job, runID: runID)
                let line = HistoryLine(turn, ended, on: context.name, started: started, output: tail)
                return RunRecord(run: turn, outcome: ended.ending.bytes, line: line.encoded())
            }
            // Not before it is on disk: what is in the folder would be the only trace of the end.
            if isNew, ended != nil { await runs.archive(job: job, runID: runID) }
            return record
        }
    }

    /// A competition is over; nil: it was withdrawn.
    fileprivate func tell(of outcome: JobShell.Outcome?, _ election: Int) {
        switch outcome {
        case .won(let grant, let runID): send(.electionOver(election, grant, runID: runID))
        case .dormant(let dormancy): send(.dormant(election, dormancy))
        case nil: send(.electionOver(election, nil, runID: ""))
        }
    }

    /// What a competition says while it waits, in the machine's words.
    fileprivate func tell(_ waiting: Waiting) {
        switch waiting {
        case .store(let error): send(.waiting(.store(error.message)))
        case .lock(let reason, let sighting):
            if let fence = sighting?.fence { context.fences.saw(fence, of: definition.name) }
            switch reason {
            case .held: send(.waiting(.held))
            case .orphaned: send(.waiting(.vanishedHolder))
            case .unsettled(let until):
                context.recollection.storeIsNew()
                send(.waiting(.newStore(until: until)))
            case .marked(let mark):
                context.marks.saw(mark, of: definition.name)
                send(.waiting(.mark(mark)))
            case .late: break  // asked again at once
            }
        }
    }
}
