// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What `batonctl stop` led to.
package struct StopReport: Codable, Equatable, Sendable {
    package var job: String
    package var done = "stop"
    /// Whether nothing starts the job any more: it is kept running otherwise, or was paused.
    package var isHeldDown: Bool
    /// The run that is being stopped, and where it is; nil: none, or nobody knows.
    package var runID: String?
    package var node: String?
    /// No run went on, but the last one was to be tried again, and is not.
    package var isGivenUp: Bool?

    package init(job: String, isHeldDown: Bool, runID: String? = nil, node: String? = nil, isGivenUp: Bool? = nil) {
        self.job = job
        self.isHeldDown = isHeldDown
        self.runID = runID
        self.node = node
        self.isGivenUp = isGivenUp
    }

    enum CodingKeys: String, CodingKey {
        case job, done, node
        case isHeldDown = "held_down"
        case runID = "run_id"
        case isGivenUp = "given_up"
    }
}
