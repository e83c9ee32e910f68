// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The names of what is in a run's directory.
package enum RunFile {
    /// The `LaunchSpec`, written by the daemon before the keeper starts.
    package static let spec = "spec"
    /// The keeper's socket for daemons.
    package static let control = "control"
    /// The keeper's socket for the workload.
    package static let held = "held"
    /// The keeper's socket for what the workload says of itself: its `NOTIFY_SOCKET`.
    package static let notify = "notify"
    /// The last output; written at the end, before `status`.
    package static let tail = "tail"
    /// The `RunEnd`; when it is there, the run is over and nothing of it is left.
    package static let status = "status"
    /// In the folder above, one for all runs of the job: the flock of the run that is not over yet.
    package static let lock = "lock"
}
