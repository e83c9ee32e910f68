// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Synchronization

/// What each job's loop last said of itself. One writer a job, read by the control socket and the status line.
final class StatusBoard: Sendable {
    private let jobs = Mutex<[String: StatusReport.Job]>([:])

    func post(_ job: StatusReport.Job) { jobs.withLock { $0[job.name] = job } }

    func job(_ name: String) -> StatusReport.Job? { jobs.withLock { $0[name] } }

    /// Sorted by name.
    func all() -> [StatusReport.Job] { jobs.withLock { Array($0.values) }.sorted { $0.name < $1.name } }
}
