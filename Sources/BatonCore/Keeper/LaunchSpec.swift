// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Everything a keeper needs to know of one run. Numbers, not names: a static program can't look a name up.
package struct LaunchSpec: Equatable, Sendable {
    /// The job's name: the journal's identifier, and part of the cgroup's name.
    package var job: String
    /// The run's id; also in the workload's environment as `BATON_RUN_ID`, which is how strays are found without a cgroup.
    package var runID: String
    /// For the journal only: the run's fencing token.
    package var fence: Int64
    /// For the journal only: the node's name.
    package var node: String
    /// The program and its arguments; a program without a slash is looked up in the PATH of `environment`.
    package var arguments: [String]
    /// The whole environment, as `KEY=VALUE`.
    package var environment: [String]
    /// Where the workload starts; entered as its own user.
    package var workingDirectory: String
    /// Whose rights the workload has; nil: the keeper's own.
    package var identity: Identity?
    /// Bits that are taken from the mode of files the workload creates.
    package var umask: UInt32
    /// The nice value. Above zero is a wish; below zero it must be granted, or the start fails.
    package var nice: Int32
    /// rlimits; what is not here is as inherited.
    package var limits: [Limit]
    /// The capabilities that the workload may have or get, as bits; nil: those of the keeper.
    package var capabilities: UInt64?
    /// The signal of an ordinary stop.
    package var stopSignal: Int32
    /// Between that signal and KILL, while the lease lasts.
    package var stopTimeout: Duration
    /// So long before the lease ends, the workload gets TERM.
    package var lostGrace: Duration
    /// Whether the workload speaks `sd_notify` to its keeper.
    package var notify: Bool
    /// How often such a workload must say that it is alive; nil: it need not.
    package var watchdog: Duration?
    /// Where stdout and stderr go.
    package var output: Output
    /// The directory of the workload's own cgroup v2; nil: there is none. Without a unit it is already made.
    package var cgroup: String?
    /// The unit of systemd's that the keeper is the main process of; nil: there is none. The cgroup is below the unit's,
    /// and the keeper makes it.
    package var unit: String?
    /// The journal's socket for its native protocol.
    package var journalSocket: String

    /// A user, as the kernel knows one.
    package struct Identity: Equatable, Sendable {
        /// The user id.
        package var uid: UInt32
        /// The primary group id.
        package var gid: UInt32
        /// The supplementary group ids.
        package var groups: [UInt32]

        /// A user with its groups.
        package init(uid: UInt32, gid: UInt32, groups: [UInt32]) {
            self.uid = uid
            self.gid = gid
            self.groups = groups
        }
    }

    /// An rlimit.
    package struct Limit: Equatable, Sendable {
        /// The kernel's number of it.
        package var resource: UInt8
        /// The soft limit.
        package var soft: UInt64
        /// The hard limit; nil: as inherited.
        package var hard: UInt64?

        /// A limit; without `hard`, that one stays as inherited.
        package init(_ resource: ResourceLimits.Rlimit, soft: UInt64, hard: UInt64? = nil) {
            self.resource = resource.rawValue
            self.soft = soft
            self.hard = hard
        }
    }

    /// Where stdout and stderr go. But for `file`, the keeper also keeps the last 64 KiB.
    package enum Output: Equatable, Sendable {
        /// Lines to the journal, if there is one.
        case journal
        /// Appended to a file, which the workload's own user opens.
        case file(String)
        /// Nowhere else.
        case none
    }

    /// A spec with the defaults of a job file.
    package init(job: String, runID: String, arguments: [String]) {
        self.job = job
        self.runID = runID
        self.arguments = arguments
        fence = 0
        node = ""
        environment = []
        workingDirectory = "/"
        identity = nil
        umask = 0o022
        nice = 0
        limits = []
        capabilities = nil
        stopSignal = 15
        stopTimeout = .seconds(30)
        lostGrace = .milliseconds(2500)
        notify = false
        watchdog = nil
        output = .journal
        cgroup = nil
        unit = nil
        journalSocket = "/run/systemd/journal/socket"
    }
}
