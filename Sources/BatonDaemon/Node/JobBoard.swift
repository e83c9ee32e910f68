// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// All jobs of a node: a ``JobRoster``, and the loops of those that run here, or are about to.
final class JobBoard: Sendable {
    struct State {
        var roster: JobRoster
        /// The loops that turn, also those that are about to be done.
        var runners: [String: JobRunner] = [:]
        /// Of them, those that were told to be done.
        var told: Set<String> = []
        /// The loops of scheduled jobs that need not turn.
        var dormant = DormantJobs()
        /// So many loops became dormant since their memory was given back.
        var fellAsleep = 0
        /// How the scheduled jobs hear of announcements.
        var ears: [String: Ear] = [:]
    }

    let state: Mutex<State>
    let context: NodeContext
    /// Rings when a job may have to be woken earlier than was known.
    let timer = Doorbell()
    /// Jobs of which something was announced that was not looked at yet.
    let rung = Mutex<[String]>([])
    /// Runs that an earlier daemon left, by job.
    private let inherited: [String: RunLeftBehind]
    /// What is wrong with the files that can't be used.
    private let invalid: [String: StatusReport.Job]
    /// Loops to be run.
    private let begun: AsyncStream<JobRunner>
    let begin: AsyncStream<JobRunner>.Continuation

    /// - Parameter inherited: runs that an earlier daemon left, by job.
    init(jobs: [LoadedJob], inherited: [String: RunLeftBehind], context: NodeContext) {
        self.context = context
        self.inherited = inherited
        (begun, begin) = AsyncStream.makeStream()
        var definitions: [JobDefinition] = []
        var invalid: [String: StatusReport.Job] = [:]
        for job in jobs {
            switch job {
            case .valid(let definition): definitions.append(definition)
            case .invalid(let name, let problems):
                var shown = StatusReport.Job(name: name, state: .invalid)
                shown.reason = problems.map { "\($0)" }.joined(separator: "\n")
                invalid[name] = shown
            }
        }
        self.invalid = invalid
        let roster = JobRoster(definitions, invalid: Set(invalid.keys), on: context.profile)
        state = Mutex(State(roster: roster))
        // Before any other job competes.
        for name in inherited.keys { context.room.add(name) }
        state.withLock { state in
            let orders = state.roster.begin(inherited: inherited.mapValues { $0.found.run.record.timeout })
            carryOut(orders, &state, isStart: true)
        }
    }

    /// The loop of a job that runs here, or would; nil: it has none, or has nothing to do.
    func runner(of job: String) -> JobRunner? { state.withLock { $0.runners[job] } }

    /// What the loop of a job goes by, be it dormant or not.
    func loop(of job: String) -> JobDefinition? { state.withLock { $0.roster.loop(of: job) } }

    /// By the job's file, whether or not it runs here.
    func definition(of job: String) -> JobDefinition? { state.withLock { $0.roster.definitions[job] } }

    var isDraining: Bool { state.withLock { $0.roster.ending != nil } }
    /// Its runs are left to the daemon that comes next.
    var isRelieved: Bool { state.withLock { $0.roster.ending == .relieved } }

    /// Runs every job until all are drained. A node without jobs is up as well.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await runner in begun {
                group.addTask {
                    guard let legacy = self.ended(runner, await runner.run()) else { return }
                    await Handover(lock: runner.lock, legacy: legacy, logger: self.context.logger).giveBack()
                    self.context.room.free(runner.definition.name)
                    _ = self.ended(runner, .done(nil))
                }
            }
        }
    }

    /// The loop of a job is over.
    ///
    /// - Returns: the lock, if it is to be given back.
    private func ended(_ runner: JobRunner, _ ending: JobRunner.Ending) -> LockLegacy? {
        let name = runner.definition.name
        return state.withLock { state in
            switch ending {
            case .dormant(let dormancy) where !state.told.contains(name):
                state.runners[name] = nil
                fallAsleep(name, dormancy, isWanted: runner.isFollowed, &state)
            case .dormant: loopEnded(name, &state)
            case .done(let legacy):
                let order = state.roster.loopEnded(name, leaving: legacy)
                if case .giveBack(_, let legacy) = order { return legacy }
                carryOn(name, order, &state)
            }
            return nil
        }
    }

    /// The loop of a job, turning or not, has come to its end, and leaves nothing.
    private func loopEnded(_ job: String, _ state: inout State) {
        carryOn(job, state.roster.loopEnded(job, leaving: nil), &state)
    }

    private func carryOn(_ job: String, _ order: JobRoster.Order?, _ state: inout State) {
        state.runners[job] = nil
        state.told.remove(job)
        forget(job, &state)
        carryOut(order.map { [$0] } ?? [], &state)
    }

    private func carryOut(_ orders: [JobRoster.Order], _ state: inout State, isStart: Bool = false) {
        for order in orders {
            switch order {
            case .begin(let definition, let legacy):
                let inherited = isStart ? inherited[definition.name] : nil
                let mayWait = inherited == nil && legacy == nil
                if definition.schedule != nil { keep(definition, isAwake: !mayWait, &state) }
                if definition.schedule == nil || !mayWait {
                    start(definition, inherited: inherited, legacy: legacy, &state)
                }
            case .tell(let job, let event): tell(job, .event(event), &state)
            case .supersede(let job, let definition): tell(job, .superseded(definition), &state)
            case .showIdle(let job): showIdle(job, state.roster)
            case .giveBack: break  // only at the end of a loop, which sees to it
            }
        }
        wakeJobs(&state)
    }

    func start(
        _ definition: JobDefinition, inherited: RunLeftBehind? = nil, legacy: LockLegacy? = nil,
        _ state: inout State
    ) {
        let runner = JobRunner(
            definition: definition, context: context, inherited: inherited, legacy: legacy,
            waker: waker(of: definition.name, state))
        state.runners[definition.name] = runner
        begin.yield(runner)
    }

    /// Tells a job's loop to be done. One that does not turn is.
    private func tell(_ job: String, _ message: JobRunner.Message, _ state: inout State) {
        guard let runner = state.runners[job] else { return loopEnded(job, &state) }
        state.told.insert(job)
        runner.send(message)
    }

    /// What there is to be seen of a job that has no loop.
    private func showIdle(_ job: String, _ roster: JobRoster) {
        let board = context.board
        if let definition = roster.definitions[job] {
            guard var shown = Standing(of: definition, on: context.profile).shown(definition) else { return }
            shown.lastRun = board.job(job)?.lastRun
            board.post(shown)
        } else if roster.invalid.contains(job), let shown = invalid[job] {
            board.post(shown)
        } else {
            board.remove(job)
        }
    }

    // MARK: Other definitions

    /// What ``apply(_:)`` would do now.
    func plan(_ jobs: [JobDefinition]) -> ReloadReport { state.withLock { report(on: jobs, $0) } }

    /// From now on these are the node's jobs.
    ///
    /// - Returns: nil when the node stops: nothing was changed.
    func apply(_ jobs: [JobDefinition]) -> ReloadReport? {
        state.withLock { state in
            let report = report(on: jobs, state)
            guard let orders = state.roster.apply(jobs) else { return nil }
            carryOut(orders, &state)
            return report
        }
    }

    private func report(on jobs: [JobDefinition], _ state: State) -> ReloadReport {
        state.roster.report(on: jobs) { context.board.job($0)?.run != nil }
    }

    // MARK: The end

    /// Stops every job properly; ``run()`` returns when all of them are. False: they are left to the next daemon already.
    func drain() -> Bool { end(.drained) }

    /// Leaves every run to the daemon that comes next; ``run()`` returns when all else is given back. False: they are being
    /// stopped already.
    func relieve() -> Bool { end(.relieved) }

    private func end(_ ending: JobRoster.Ending) -> Bool {
        let isDecided = state.withLock { state in
            guard let orders = state.roster.end(ending) else { return false }
            carryOut(orders, &state)
            return true
        }
        if isDecided { begin.finish() }
        return isDecided
    }

    /// Kills every workload.
    func abort() {
        for runner in state.withLock({ Array($0.runners.values) }) { runner.send(.abort) }
    }
}
