// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a reload did, or would do: what `batonctl reload --json` and `batonctl check --diff --json` print.
package struct ReloadReport: Codable, Equatable, Sendable {
    /// A job whose definition is another one.
    package struct Change: Codable, Equatable, Sendable {
        package var job: String
        /// As the job file has them: `stop.timeout`.
        package var keys: [String]

        package init(job: String, keys: [String]) {
            self.job = job
            self.keys = keys
        }
    }

    /// What changed in `batond.toml`, `[defaults]` apart.
    package struct Node: Codable, Equatable, Sendable {
        /// Keys that count now.
        package var changed: [String] = []
        /// Keys that count only after a restart of batond.
        package var needsRestart: [String] = []

        package init(changed: [String] = [], needsRestart: [String] = []) {
            self.changed = changed
            self.needsRestart = needsRestart
        }

        enum CodingKeys: String, CodingKey {
            case changed
            case needsRestart = "needs_restart"
        }
    }

    package var added: [String] = []
    package var removed: [String] = []
    package var changed: [Change] = []
    /// Of those that changed: they run here, and their process was started with something else.
    package var restarted: [String] = []
    /// They run here and are stopped: removed, disabled, or no longer eligible on this node.
    package var stopped: [String] = []
    package var unchanged: [String] = []
    package var node = Node()
    package var warnings: [String] = []

    package init() {}
}

/// Why a reload changed nothing: the problems of the files, as `batonctl check` has them.
package struct ReloadRefusal: Codable, Equatable, Sendable {
    /// The whole in one sentence.
    package var error: String
    package var errors: [FileProblem]
    package var warnings: [FileProblem]

    package init(errors: [FileProblem], warnings: [FileProblem]) {
        error =
            "the files have \(errors.count == 1 ? "an error" : "\(errors.count) errors"): nothing was changed"
        self.errors = errors
        self.warnings = warnings
    }
}
