// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Where a workload's program is looked up, unless its job says otherwise.
package enum WorkloadPath {
    /// systemd's own default.
    package static let standard = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}
