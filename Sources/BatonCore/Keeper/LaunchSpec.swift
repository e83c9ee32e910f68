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
    /// The limit of open files; nil: as inherited.
    package var openFiles: OpenFiles?
    /// The signal of an ordinary stop.
    package var stopSignal: Int32
    /// Between that signal and KILL, while the lease lasts.
    package var stopTimeout: Duration
    /// So long before the lease ends, the workload gets TERM.
    package var lostGrace: Duration
    /// Where stdout and stderr go.
    package var output: Output
    /// The directory of the run's own cgroup v2, already made; nil: there is none.
    package var cgroup: String?
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

    /// RLIMIT_NOFILE.
    package struct OpenFiles: Equatable, Sendable {
        /// The soft limit.
        package var soft: UInt64
        /// The hard limit; nil: as inherited.
        package var hard: UInt64?

        /// A limit; without `hard`, that one stays as inherited.
        package init(soft: UInt64, hard: UInt64? = nil) {
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
        openFiles = nil
        stopSignal = 15
        stopTimeout = .seconds(30)
        lostGrace = .milliseconds(2500)
        output = .journal
        cgroup = nil
        journalSocket = "/run/systemd/journal/socket"
    }
}

// MARK: - On disk

extension LaunchSpec {
    /// The version of the encoding.
    package static let formatVersion: UInt8 = 1
    /// No encoded spec is longer; what is, is not a spec.
    package static let maximumSize = 8 << 20

    /// The bytes of the file `spec`.
    package func encode() -> Bytes {
        var writer = WireWriter(version: Self.formatVersion)
        writer.put(job)
        writer.put(runID)
        writer.put(fence)
        writer.put(node)
        writer.put(arguments)
        writer.put(environment)
        writer.put(workingDirectory)
        writer.put(identity) { writer, identity in
            writer.put(identity.uid)
            writer.put(identity.gid)
            writer.put(UInt32(clamping: identity.groups.count))
            for group in identity.groups { writer.put(group) }
        }
        writer.put(umask)
        writer.put(nice)
        writer.put(openFiles) { writer, limit in
            writer.put(limit.soft)
            writer.put(limit.hard) { $0.put($1) }
        }
        writer.put(stopSignal)
        writer.put(stopTimeout)
        writer.put(lostGrace)
        switch output {
        case .journal: writer.put(UInt8(0))
        case .file(let path):
            writer.put(UInt8(1))
            writer.put(path)
        case .none: writer.put(UInt8(2))
        }
        writer.put(cgroup) { $0.put($1) }
        writer.put(journalSocket)
        return writer.bytes
    }

    /// Reads the file `spec`.
    ///
    /// - Throws: what is wrong with the bytes; also when they could not describe a run (no command, a negative time).
    package init(decoding bytes: Bytes) throws(WireError) {
        if bytes.count > Self.maximumSize { throw .invalid }
        var reader = try WireReader(bytes, version: Self.formatVersion)
        let job = try reader.takeString()
        let runID = try reader.takeString()
        let fence: Int64 = try reader.take()
        let node = try reader.takeString()
        self.init(job: job, runID: runID, arguments: try reader.takeStrings())
        self.fence = fence
        self.node = node
        environment = try reader.takeStrings()
        workingDirectory = try reader.takeString()
        identity = try reader.takeOptional(Self.takeIdentity)
        umask = try reader.take()
        nice = try reader.take()
        openFiles = try reader.takeOptional(Self.takeOpenFiles)
        stopSignal = try reader.take()
        stopTimeout = try reader.takeDuration()
        lostGrace = try reader.takeDuration()
        switch try reader.take(UInt8.self) {
        case 0: output = .journal
        case 1: output = .file(try reader.takeString())
        case 2: output = .none
        case _: throw .invalid
        }
        cgroup = try reader.takeOptional { reader throws(WireError) in try reader.takeString() }
        journalSocket = try reader.takeString()
        try reader.finish()
        let sane =
            !job.isEmpty && !runID.isEmpty && !(arguments.first ?? "").isEmpty && (1...64).contains(stopSignal)
            && stopTimeout >= .zero && lostGrace >= .zero
        if !sane { throw .invalid }
    }

    private static func takeIdentity(_ reader: inout WireReader) throws(WireError) -> Identity {
        var identity = Identity(uid: try reader.take(), gid: try reader.take(), groups: [])
        let count = Int(try reader.take(UInt32.self))
        guard count <= 65_536 else { throw .invalid }
        for _ in 0..<count { identity.groups.append(try reader.take()) }
        return identity
    }

    private static func takeOpenFiles(_ reader: inout WireReader) throws(WireError) -> OpenFiles {
        let soft: UInt64 = try reader.take()
        let hard = try reader.takeOptional { reader throws(WireError) in try reader.take(UInt64.self) }
        return OpenFiles(soft: soft, hard: hard)
    }
}
