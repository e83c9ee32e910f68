// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonLock
import BatonSystem
import Logging

/// All jobs of a node: the loops of those that run here, and what is known of the others.
struct JobBoard: Sendable {
    private let runners: [String: JobRunner]
    /// In the order of their names.
    let names: [String]
    private let context: NodeContext
    private let drained = Doorbell()

    /// - Parameter inherited: runs that an earlier daemon left, by job.
    init(jobs: [LoadedJob], inherited: [String: InheritedRun], context: NodeContext) {
        self.context = context
        var runners: [String: JobRunner] = [:]
        var names: Set<String> = []
        for job in jobs {
            names.insert(job.name)
            switch job {
            case .valid(let definition) where definition.enabled || inherited[definition.name] != nil:
                runners[definition.name] = JobRunner(
                    definition: definition, context: context, inherited: inherited[definition.name])
            case .valid(let definition):
                context.board.post(
                    .init(name: definition.name, description: definition.description, state: .disabled))
            case .invalid(let name, let problems):
                var shown = StatusReport.Job(name: name, state: .invalid)
                shown.reason = problems.map { "\($0)" }.joined(separator: "\n")
                context.board.post(shown)
            }
        }
        // A run whose job file is gone or broken is taken over all the same, to be stopped properly.
        for (name, run) in inherited where runners[name] == nil {
            var definition = JobDefinition(name: name, command: .program(["?"]))
            definition.lock.timeout = run.run.record.timeout
            definition.enabled = false
            runners[name] = JobRunner(definition: definition, context: context, inherited: run)
        }
        self.runners = runners
        self.names = names.union(runners.keys).sorted()
    }

    func runner(of job: String) -> JobRunner? { runners[job] }

    /// Runs every job until it is drained.
    func run() async {
        await withDiscardingTaskGroup { group in
            for runner in runners.values {
                group.addTask {
                    await runner.run()
                    let shown = StatusReport.Job(name: runner.definition.name, state: .disabled)
                    if !runner.definition.enabled { context.board.post(shown) }
                }
            }
            // A node without jobs, or with disabled ones only, is up as well.
            group.addTask { await drained.wait(until: .distantFuture) }
        }
    }

    func drain() {
        for runner in runners.values { runner.send(.drain) }
        drained.ring()
    }

    func abort() {
        for runner in runners.values { runner.send(.abort) }
    }
}
