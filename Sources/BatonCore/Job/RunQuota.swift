// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How many runs a node may have at once (`node.max_runs`), and which jobs have one.
///
/// A job has room from the moment when it is elected until its run is proved to be over. A node without room competes for
/// no lock.
package struct RunQuota: Equatable, Sendable {
    /// 0: no limit.
    package let limit: Int
    private var jobs: Set<String> = []

    package init(limit: Int) { self.limit = limit }

    package var isFull: Bool { limit > 0 && jobs.count >= limit }

    /// Whether a job may compete: there is room, or it has its own already.
    package func hasRoom(for job: String) -> Bool { !isFull || jobs.contains(job) }

    /// Room for a job that was elected; false: there is none.
    package mutating func claim(_ job: String) -> Bool {
        if !hasRoom(for: job) { return false }
        jobs.insert(job)
        return true
    }

    /// Counts a run that was there before, also beyond the limit.
    package mutating func add(_ job: String) { jobs.insert(job) }

    /// The job's run is over. One that had no room is no error.
    package mutating func free(_ job: String) { jobs.remove(job) }
}
