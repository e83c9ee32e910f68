// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Whom a job's file has told of what happens to it: `[notify]`.
package struct NotifySettings: Equatable, Sendable {
    /// What an operator may want to be told of.
    package enum Reason: String, Equatable, Sendable, CaseIterable {
        /// A run failed, or took longer than it may.
        case failed
        /// A tick had no run.
        case missed
        /// A run was ended with its lease, or nobody knows how it ended.
        case lost

        /// Nil: such an event is none.
        package init?(_ event: EventKind) {
            switch event {
            case .runFailed: self = .failed
            case .ticksMissed: self = .missed
            case .leaseLost, .runLost: self = .lost
            default: return nil
            }
        }
    }

    /// Run by the node that tells of the event.
    package var command: JobDefinition.Command
    package var reasons: Set<Reason>

    package init(command: JobDefinition.Command, reasons: Set<Reason> = Set(Reason.allCases)) {
        self.command = command
        self.reasons = reasons
    }
}
