// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem

extension JobShell {
    /// A run makes room for the next tick, if its job is such.
    func replaceWhenDue(_ runID: String, after tick: Int64, _ group: inout DiscardingTaskGroup) {
        guard let schedule = definition.schedule, schedule.overlap == .replace else { return }
        let planner = TickPlanner(job: definition.name, settings: schedule)
        let (runner, store, lock) = (runner, context.store, lock)
        group.addTask {
            var tick = tick
            while !Task.isCancelled, let next = planner.settings.schedule.next(after: tick) {
                let time = store.tickTime()
                let left = time.map { Duration.microseconds(planner.due(next) - $0) } ?? .seconds(1)
                if left <= .zero {
                    tick = max(next, (time ?? 0) / 1_000_000)
                    // Nothing may follow one that an operator paused, or stopped: it goes on. Asked again with the next tick.
                    if let view = try? await lock.look(), view.mark == nil {
                        runner.send(JobLoop.Message.preempted(runID: runID))
                    }
                    continue
                }
                // Not much longer, so that a clock that was set is noticed.
                try? await BootClock.sleep(until: BootClock.now() + min(left, .seconds(60)))  // ended early: cancelled
            }
        }
    }
}
