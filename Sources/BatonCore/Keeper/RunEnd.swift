// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How a run ended. When one of these exists, every process of the run is gone.
package struct RunEnd: Equatable, Sendable {
    /// Why it ended.
    package var reason: Reason
    /// What the main process left; nil: nobody could see it, or it never ran.
    package var exit: Exit?
    /// When the end was established.
    package var at: Instant
    /// Whether the workload was asked to stop (the stop signal, or TERM because its lease ran out) before it ended.
    package var termSent: Bool

    /// Why a run ended.
    package enum Reason: Equatable, Sendable {
        /// The main process ended by itself.
        case exited
        /// An ordinary stop.
        case stopped
        /// The lease ran out, or was about to.
        case leaseLost
        /// The daemon asked for a KILL.
        case killed
        /// The workload never ran.
        case startFailed(step: StartStep, errno: Int32)
        /// The keeper died; the guard ended the run.
        case keeperLost
        /// The guard died; the keeper ended the run.
        case guardLost
        /// The workload did not say that it is alive, though its watchdog waited for it.
        case hung
    }

    /// What a process leaves behind.
    package enum Exit: Equatable, Sendable {
        /// It exited with this code.
        case code(Int32)
        /// This signal ended it.
        case signal(Int32)
    }

    /// An end.
    package init(reason: Reason, exit: Exit? = nil, at: Instant, termSent: Bool = false) {
        self.reason = reason
        self.exit = exit
        self.at = at
        self.termSent = termSent
    }
}

/// What a start failed at. The numbers are those of `enum clinux_step`.
package enum StartStep: UInt8, Equatable, Sendable, CaseIterable {
    /// The spec can't be read or is none.
    case spec = 1
    /// The job's flock: another run of the job is not over yet.
    case lock = 2
    /// A pipe, a fork, a socket: the machine is short of something.
    case resources = 3
    /// A session of its own.
    case session = 4
    /// Entering the cgroup.
    case cgroup = 5
    /// The resource limits.
    case limits = 6
    /// The nice value.
    case nice = 7
    /// The supplementary groups, the group or the user.
    case identity = 8
    /// The working directory.
    case workingDirectory = 9
    /// The output file.
    case output = 10
    /// The program.
    case exec = 11
}

// MARK: - On disk and on the wire

extension RunEnd {
    /// The version of the encoding.
    package static let formatVersion: UInt8 = 1

    /// The bytes of the file `status`.
    package func encode() -> Bytes {
        var writer = WireWriter(version: Self.formatVersion)
        write(to: &writer)
        return writer.bytes
    }

    /// Reads the file `status`.
    package init(decoding bytes: Bytes) throws(WireError) {
        var reader = try WireReader(bytes, version: Self.formatVersion)
        self = try RunEnd(from: &reader)
        try reader.finish()
    }

    func write(to writer: inout WireWriter) {
        switch reason {
        case .exited: writer.put(UInt8(0))
        case .stopped: writer.put(UInt8(1))
        case .leaseLost: writer.put(UInt8(2))
        case .killed: writer.put(UInt8(3))
        case .startFailed(let step, let errno):
            writer.put(UInt8(4))
            writer.put(step.rawValue)
            writer.put(errno)
        case .keeperLost: writer.put(UInt8(5))
        case .guardLost: writer.put(UInt8(6))
        case .hung: writer.put(UInt8(7))
        }
        switch exit {
        case nil: writer.put(UInt8(0))
        case .code(let code):
            writer.put(UInt8(1))
            writer.put(code)
        case .signal(let signal):
            writer.put(UInt8(2))
            writer.put(signal)
        }
        writer.put(at)
        writer.put(termSent)
    }

    init(from reader: inout WireReader) throws(WireError) {
        switch try reader.take(UInt8.self) {
        case 0: reason = .exited
        case 1: reason = .stopped
        case 2: reason = .leaseLost
        case 3: reason = .killed
        case 4: reason = .startFailed(step: try StartStep(from: &reader), errno: try reader.take())
        case 5: reason = .keeperLost
        case 6: reason = .guardLost
        case 7: reason = .hung
        case _: throw .invalid
        }
        switch try reader.take(UInt8.self) {
        case 0: exit = nil
        case 1: exit = .code(try reader.take())
        case 2: exit = .signal(try reader.take())
        case _: throw .invalid
        }
        at = try reader.takeInstant()
        termSent = try reader.takeBool()
    }
}

extension StartStep {
    init(from reader: inout WireReader) throws(WireError) {
        guard let step = StartStep(rawValue: try reader.take()) else { throw .invalid }
        self = step
    }
}
