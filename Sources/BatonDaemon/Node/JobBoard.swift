// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// All jobs of a node: what the files say of them, and the loops of those that run here.
///
/// A job has one loop at a time. When its definition changes, its loop is told to be done, and only when it is, with its
/// lock released, another one begins with whatever the files say by then. So a job that is removed and added again while
/// it still stops neither runs twice nor is forgotten.
final class JobBoard: Sendable {
    private struct State {
        /// What the files say.
        var definitions: [String: JobDefinition] = [:]
        /// What is wrong with the files that can't be used; only a start has such.
        var invalid: [String: StatusReport.Job] = [:]
        /// The loops that turn, also those that are about to be done.
        var runners: [String: JobRunner] = [:]
        /// How it ends: it is decided once.
        var ending: Ending?
        var isDraining: Bool { ending != nil }
    }

    private let state: Mutex<State>
    private let context: NodeContext
    /// Loops to be run.
    private let begun: AsyncStream<JobRunner>
    private let begin: AsyncStream<JobRunner>.Continuation

    /// - Parameter inherited: runs that an earlier daemon left, by job.
    init(jobs: [LoadedJob], inherited: [String: RunLeftBehind], context: NodeContext) {
        self.context = context
        (begun, begin) = AsyncStream.makeStream()
        var state = State()
        for job in jobs {
            switch job {
            case .valid(let definition): state.definitions[definition.name] = definition
            case .invalid(let name, let problems):
                var shown = StatusReport.Job(name: name, state: .invalid)
                shown.reason = problems.map { "\($0)" }.joined(separator: "\n")
                state.invalid[name] = shown
            }
        }
        for (name, run) in inherited {
            // Before any other job competes.
            context.room.add(name)
            // A run whose job file is gone or broken is taken over all the same, to be stopped properly.
            var definition = JobDefinition(name: name, command: .program(["?"]))
            definition.lock.timeout = run.found.run.record.timeout
            definition.enabled = false
            state.runners[name] = JobRunner(
                definition: state.definitions[name] ?? definition, context: context, inherited: run)
        }
        for (name, definition) in state.definitions where context.competes(definition) && state.runners[name] == nil {
            state.runners[name] = JobRunner(definition: definition, context: context)
        }
        for name in Set(state.definitions.keys).union(state.invalid.keys) where state.runners[name] == nil {
            Self.showIdle(name, state, context)
        }
        for runner in state.runners.values { begin.yield(runner) }
        self.state = Mutex(state)
    }

    /// The loop of a job that runs here, or would.
    func runner(of job: String) -> JobRunner? { state.withLock { $0.runners[job] } }

    private enum Ending { case drained, relieved }

    var isDraining: Bool { state.withLock { $0.isDraining } }
    /// Its runs are left to the daemon that comes next.
    var isRelieved: Bool { state.withLock { $0.ending == .relieved } }

    /// Runs every job until all are drained. A node without jobs is up as well.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await runner in begun {
                group.addTask {
                    let legacy = await runner.run()
                    if self.succeed(runner, legacy) { return }
                    // Nobody follows. Until the lock is released, nobody will.
                    if let legacy {
                        await Handover(lock: runner.lock, legacy: legacy, logger: self.context.logger).giveBack()
                    }
                    self.context.room.free(runner.definition.name)
                    _ = self.succeed(runner, nil)
                }
            }
        }
    }

    /// The loop of a job is done: what the files say of it by now counts.
    ///
    /// - Parameter legacy: the lock, if the loop still had it for the next one.
    /// - Returns: false if there is a lock and no next loop.
    private func succeed(_ runner: JobRunner, _ legacy: LockLegacy?) -> Bool {
        let name = runner.definition.name
        return state.withLock { state in
            if !state.isDraining, let definition = state.definitions[name], context.competes(definition) {
                start(definition, legacy, &state)
                return true
            }
            if legacy != nil { return false }
            state.runners[name] = nil
            if !state.isDraining { Self.showIdle(name, state, context) }
            return true
        }
    }

    private func start(_ definition: JobDefinition, _ legacy: LockLegacy?, _ state: inout State) {
        let runner = JobRunner(definition: definition, context: context, legacy: legacy)
        state.runners[definition.name] = runner
        begin.yield(runner)
    }

    /// What there is to be seen of a job that has no loop.
    private static func showIdle(_ name: String, _ state: State, _ context: NodeContext) {
        let board = context.board
        if let definition = state.definitions[name] {
            guard var shown = Standing(of: definition, on: context.profile).shown(definition) else { return }
            shown.lastRun = board.job(name)?.lastRun
            board.post(shown)
        } else if let shown = state.invalid[name] {
            board.post(shown)
        } else {
            board.remove(name)
        }
    }

    // MARK: Other definitions

    /// What ``apply(_:)`` would do now.
    func plan(_ jobs: [JobDefinition]) -> ReloadReport {
        state.withLock { report(on: Self.byName(jobs), $0) }
    }

    /// From now on these are the node's jobs. A job that is as it was is not touched.
    ///
    /// - Returns: nil when the node stops: nothing was changed.
    func apply(_ jobs: [JobDefinition]) -> ReloadReport? {
        let new = Self.byName(jobs)
        return state.withLock { state in
            if state.isDraining { return nil }
            let report = report(on: new, state)
            let old = state.definitions
            let gone = Set(old.keys).union(state.invalid.keys).subtracting(new.keys)
            state.definitions = new
            state.invalid = [:]
            for name in gone {
                if let runner = state.runners[name] { runner.send(.drain) } else { context.board.remove(name) }
            }
            for definition in jobs where old[definition.name] != definition { redefine(definition, &state) }
            return report
        }
    }

    private func redefine(_ definition: JobDefinition, _ state: inout State) {
        guard let runner = state.runners[definition.name] else {
            if context.competes(definition) { return start(definition, nil, &state) }
            return Self.showIdle(definition.name, state, context)
        }
        // What its loop was begun with counts, not what the files said since: they may have changed back.
        switch runner.definition.change(to: definition).effect {
        case _ where !context.competes(definition): runner.send(.drain)
        case .restart: runner.send(.replaced)
        case .none, .withoutRestart: runner.send(.superseded(definition))
        }
    }

    private func report(on new: [String: JobDefinition], _ state: State) -> ReloadReport {
        let running = state.runners.keys.filter { context.board.job($0)?.run != nil }
        var report = ReloadPlan(from: state.definitions, to: new).report(
            running: Set(running), competing: Set(new.values.filter(context.competes).map(\.name)))
        report.removed += state.invalid.keys.filter { new[$0] == nil }
        report.removed.sort()
        return report
    }

    private static func byName(_ jobs: [JobDefinition]) -> [String: JobDefinition] {
        Dictionary(jobs.map { ($0.name, $0) }) { $1 }
    }

    // MARK: The end

    /// Stops every job properly; ``run()`` returns when all of them are. False: they are left to the next daemon already.
    func drain() -> Bool { end(.drained, .drain) }

    /// Leaves every run to the daemon that comes next; ``run()`` returns when all else is given back. False: they are being
    /// stopped already.
    func relieve() -> Bool { end(.relieved, .relieved) }

    private func end(_ ending: Ending, _ event: JobMachine.Event) -> Bool {
        let runners = state.withLock { state -> [JobRunner]? in
            if let decided = state.ending, decided != ending { return nil }
            state.ending = ending
            return Array(state.runners.values)
        }
        guard let runners else { return false }
        for runner in runners { runner.send(event) }
        begin.finish()
        return true
    }

    /// Kills every workload.
    func abort() {
        for runner in state.withLock({ Array($0.runners.values) }) { runner.send(.abort) }
    }
}
