// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// What each job's loop last said of itself. One writer a job, read by the control socket and the status line.
final class StatusBoard: Sendable {
    private struct Entry: Sendable {
        var job: StatusReport.Job
        /// The end of the lease of the run on this node.
        var deadline: Instant?
    }
    private let entries = Mutex<[String: Entry]>([:])

    func post(_ job: StatusReport.Job, deadline: Instant? = nil) {
        entries.withLock { $0[job.name] = Entry(job: job, deadline: deadline) }
    }

    func job(_ name: String) -> StatusReport.Job? { entries.withLock { $0[name] }.map(current) }

    /// Sorted by name.
    func all() -> [StatusReport.Job] {
        entries.withLock { Array($0.values) }.map(current).sorted { $0.name < $1.name }
    }

    /// What is left of a lease is counted at the moment of the question.
    private func current(_ entry: Entry) -> StatusReport.Job {
        var job = entry.job
        if let deadline = entry.deadline {
            job.run?.leaseUntilMilliseconds = max(0, (deadline - BootClock.now()).milliseconds)
        }
        return job
    }
}
