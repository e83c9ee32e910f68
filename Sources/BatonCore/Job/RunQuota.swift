// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How many runs a node may have at once (`node.max_runs`), and which jobs have one.
///
/// A job has room from the moment when it is elected until its run is proved to be over. A node without room competes for
/// no lock.
package struct RunQuota: Equatable, Sendable {
    /// Why a node may not take another run.
    package enum Obstacle: Equatable, Sendable {
        /// It has so many.
        case full(limit: Int)
        /// Another live daemon, of this instance, has its name.
        case barred(by: String)

        /// For people.
        package var reason: String {
            switch self {
            case .barred(let other): "another live batond (instance \(other)) has this node's name"
            case .full(let limit):
                "this node has as many runs as node.max_runs allows (\(limit)); it competes again when one ends"
            }
        }
    }

    /// 0: no limit.
    package let limit: Int
    /// The instance of another live daemon that has this node's name; nil: there is none.
    package var barredBy: String?
    private var jobs: Set<String> = []

    package init(limit: Int) { self.limit = limit }

    package var isFull: Bool { limit > 0 && jobs.count >= limit }

    /// What keeps jobs that have no room yet from competing.
    package var obstacle: Obstacle? { barredBy.map { .barred(by: $0) } ?? (isFull ? .full(limit: limit) : nil) }

    /// What keeps this job from competing; nil: there is room, or it has its own already.
    package func obstacle(to job: String) -> Obstacle? { jobs.contains(job) ? nil : obstacle }

    /// Room for a job that was elected; false: there is none.
    package mutating func claim(_ job: String) -> Bool {
        if obstacle(to: job) != nil { return false }
        jobs.insert(job)
        return true
    }

    /// Counts a run that was there before, also beyond the limit.
    package mutating func add(_ job: String) { jobs.insert(job) }

    /// The job's run is over. One that had no room is no error.
    package mutating func free(_ job: String) { jobs.remove(job) }
}
