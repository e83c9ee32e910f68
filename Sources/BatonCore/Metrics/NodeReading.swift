// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a node is like at the moment when its metrics are asked for.
package struct NodeReading: Equatable, Sendable {
    package struct Job: Equatable, Sendable {
        package var name: String
        package var state: StatusReport.State
        /// Nil: nothing of it runs, or would run, here.
        package var isScheduled: Bool?
        /// That of its run here; nil: it has none.
        package var lease: Lease?

        package struct Lease: Equatable, Sendable {
            package var left: Duration
            /// When it was granted, or renewed.
            package var timeout: Duration

            package init(left: Duration, timeout: Duration) {
                self.left = left
                self.timeout = timeout
            }
        }

        package init(name: String, state: StatusReport.State, isScheduled: Bool? = nil, lease: Lease? = nil) {
            self.name = name
            self.state = state
            self.isScheduled = isScheduled
            self.lease = lease
        }
    }

    /// What the system says of batond's process.
    package struct Process: Equatable, Sendable {
        package var cpuSeconds: Double
        package var residentBytes: Int
        package var openDescriptors: Int
        /// Seconds since 1970.
        package var startedAt: Double

        package init(cpuSeconds: Double, residentBytes: Int, openDescriptors: Int, startedAt: Double) {
            self.cpuSeconds = cpuSeconds
            self.residentBytes = residentBytes
            self.openDescriptors = openDescriptors
            self.startedAt = startedAt
        }
    }

    /// What the nodes of the fleet say of each other.
    package struct Fleet: Equatable, Sendable {
        package var nodes: Int
        /// The jobs whose files are not the same on all of them.
        package var differing: [String]

        package init(nodes: Int, differing: [String]) {
            self.nodes = nodes
            self.differing = differing
        }
    }

    package var version: String
    /// By name.
    package var jobs: [Job]
    /// Whether the last reload, or the start, took the files over; and when one did: microseconds since 1970.
    package var isLastReloadGood: Bool
    package var reloadedAt: Int64
    package var isStoreUp: Bool
    /// This node's wall clock minus the store's; nil: the store has none of its own, or has not answered yet.
    package var clockOffset: Duration?
    package var isWatchdogArmed: Bool
    /// Nil: the store does not answer.
    package var fleet: Fleet?
    /// Nil: the system does not say.
    package var process: Process?

    package init(
        version: String, jobs: [Job], isLastReloadGood: Bool, reloadedAt: Int64, isStoreUp: Bool,
        clockOffset: Duration? = nil, isWatchdogArmed: Bool, fleet: Fleet? = nil, process: Process? = nil
    ) {
        self.version = version
        self.jobs = jobs
        self.isLastReloadGood = isLastReloadGood
        self.reloadedAt = reloadedAt
        self.isStoreUp = isStoreUp
        self.clockOffset = clockOffset
        self.isWatchdogArmed = isWatchdogArmed
        self.fleet = fleet
        self.process = process
    }
}
