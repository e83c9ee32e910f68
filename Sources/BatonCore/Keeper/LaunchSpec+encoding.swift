// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The file `spec` of a run's folder.
extension LaunchSpec {
    /// The version of the encoding. A daemon reads older ones too: an earlier daemon's keepers go on.
    package static let formatVersion: UInt8 = 3
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
        writer.put(UInt32(clamping: limits.count))
        for limit in limits {
            writer.put(limit.resource)
            writer.put(limit.soft)
            writer.put(limit.hard) { $0.put($1) }
        }
        writer.put(capabilities) { $0.put($1) }
        writer.put(stopSignal)
        writer.put(stopTimeout)
        writer.put(lostGrace)
        writer.put(notify)
        writer.put(watchdog) { $0.put($1) }
        switch output {
        case .journal: writer.put(UInt8(0))
        case .file(let path):
            writer.put(UInt8(1))
            writer.put(path)
        case .none: writer.put(UInt8(2))
        }
        writer.put(cgroup) { $0.put($1) }
        writer.put(unit) { $0.put($1) }
        writer.put(journalSocket)
        return writer.bytes
    }

    /// Reads the file `spec`.
    ///
    /// - Throws: what is wrong with the bytes; also when they could not describe a run (no command, a negative time).
    package init(decoding bytes: Bytes) throws(WireError) {
        if bytes.count > Self.maximumSize { throw .invalid }
        let version = min(max(bytes.first ?? 0, 1), Self.formatVersion)
        var reader = try WireReader(bytes, version: version)
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
        if version == 1 {
            limits = try reader.takeOptional(Self.takeOpenFiles).map { [$0] } ?? []
        } else {
            limits = try Self.takeLimits(&reader)
            capabilities = try reader.takeOptional { reader throws(WireError) in try reader.take() }
        }
        stopSignal = try reader.take()
        stopTimeout = try reader.takeDuration()
        lostGrace = try reader.takeDuration()
        if version > 2 {
            notify = try reader.takeBool()
            watchdog = try reader.takeOptional { reader throws(WireError) in try reader.takeDuration() }
        }
        switch try reader.take(UInt8.self) {
        case 0: output = .journal
        case 1: output = .file(try reader.takeString())
        case 2: output = .none
        case _: throw .invalid
        }
        cgroup = try reader.takeOptional { reader throws(WireError) in try reader.takeString() }
        if version > 1 { unit = try reader.takeOptional { reader throws(WireError) in try reader.takeString() } }
        journalSocket = try reader.takeString()
        try reader.finish()
        let sane =
            !job.isEmpty && !runID.isEmpty && !(arguments.first ?? "").isEmpty && (1...64).contains(stopSignal)
            && stopTimeout >= .zero && lostGrace >= .zero && (unit == nil || cgroup != nil)
            && (watchdog.map { notify && $0 > .zero } ?? true)
        if !sane { throw .invalid }
    }

    private static func takeIdentity(_ reader: inout WireReader) throws(WireError) -> Identity {
        var identity = Identity(uid: try reader.take(), gid: try reader.take(), groups: [])
        let count = Int(try reader.take(UInt32.self))
        guard count <= 65_536 else { throw .invalid }
        for _ in 0..<count { identity.groups.append(try reader.take()) }
        return identity
    }

    private static func takeLimits(_ reader: inout WireReader) throws(WireError) -> [Limit] {
        let count = Int(try reader.take(UInt32.self))
        guard count <= 16 else { throw .invalid }
        var limits: [Limit] = []
        for _ in 0..<count {
            let resource: UInt8 = try reader.take()
            guard resource < 16 else { throw .invalid }
            var limit = try takeOpenFiles(&reader)
            limit.resource = resource
            limits.append(limit)
        }
        return limits
    }

    /// All that version 1 had: soft, and perhaps hard.
    private static func takeOpenFiles(_ reader: inout WireReader) throws(WireError) -> Limit {
        let soft: UInt64 = try reader.take()
        let hard = try reader.takeOptional { reader throws(WireError) in try reader.take(UInt64.self) }
        return Limit(.nofile, soft: soft, hard: hard)
    }
}
