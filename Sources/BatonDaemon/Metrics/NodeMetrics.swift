// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// What the node's loops count as they go: a ``MetricsTally`` behind a lock.
final class NodeMetrics: Sendable {
    private let tally = Mutex(MetricsTally())

    /// What was counted so far.
    var sofar: MetricsTally { tally.withLock { $0 } }

    /// A run's workload was started.
    ///
    /// - Parameters:
    ///   - turn: what the run was claimed for.
    ///   - time: the store's, by which ticks are due.
    func started(_ runID: String, of job: JobDefinition, _ turn: LedgerEntry?, at time: Int64?) {
        var late: Duration?
        if let turn, let time, let schedule = job.schedule, turn.attempt == 1, turn.manual == nil {
            let due = turn.tick * 1_000_000 + schedule.delay(ofTick: turn.tick, job: job.name).microseconds
            late = .microseconds(time - due)
        }
        let now = BootClock.now()
        tally.withLock { $0.runStarted(runID, late: late, at: now) }
    }

    /// A run has ended here.
    func ended(_ runID: String, of job: String, _ outcome: RunOutcome) {
        let (time, now) = (WallClock.microseconds(), BootClock.now())
        tally.withLock { $0.runEnded(runID, of: job, outcome.ending, time: time, at: now) }
    }

    /// The store has noted these, because this node said so.
    func omitted(_ omissions: [TickPlan.Omission], of job: String) {
        tally.withLock { $0.omitted(omissions, of: job) }
    }

    func tookOver(_ job: String) { tally.withLock { $0.tookOver(job) } }

    func answered(_ request: MetricsTally.Request, after duration: Duration, isFailure: Bool) {
        tally.withLock { $0.answered(request, after: duration, isFailure: isFailure) }
    }
}
