// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a job is to a node, by its file: it competes for the lock, or it does not, and why.
package enum Standing: Equatable, Sendable {
    case competes
    /// `enabled = false`.
    case disabled
    /// `[placement]` is against it.
    case ineligible(String)

    package init(of job: JobDefinition, on node: NodeProfile) {
        if !job.enabled {
            self = .disabled
        } else if let objection = job.placement.objection(to: node) {
            self = .ineligible(objection)
        } else {
            self = .competes
        }
    }

    /// What `status` says of a job that has no loop here; nil: it has one.
    package func shown(_ job: JobDefinition) -> StatusReport.Job? {
        var shown = StatusReport.Job(name: job.name, description: job.description, state: .disabled)
        switch self {
        case .competes: return nil
        case .disabled: break
        case .ineligible(let reason):
            shown.state = .ineligible
            shown.reason = reason
        }
        return shown
    }
}
