// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a workload may use: the table `[limits]`.
package struct ResourceLimits: Equatable, Sendable {
    /// rlimits, per process; what is not here is as batond was started with it.
    package var rlimits: [Rlimit: UInt64]
    /// Bytes, for the run as a whole. This and the next two are the launcher `systemd`'s.
    package var memoryMax: UInt64?
    /// The run's share of the processors, 1 to 10000, where others have 100.
    package var cpuWeight: UInt64?
    /// Processes and threads.
    package var tasksMax: UInt64?

    /// No limits.
    package init() { rlimits = [:] }

    /// A limit of the kernel's for each process. The numbers are Linux's.
    package enum Rlimit: UInt8, CaseIterable, Sendable {
        case cpu = 0
        case fsize = 1
        case data = 2
        case stack = 3
        case core = 4
        case nproc = 6
        case nofile = 7
        case memlock = 8
        case `as` = 9

        /// The key in `[limits]`.
        package var key: String { "\(self)" }
    }

    /// What the kernel takes for no limit.
    package static let infinity = UInt64.max
}
