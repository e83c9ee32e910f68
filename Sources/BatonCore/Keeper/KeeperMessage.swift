// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The two directions of the conversation between a daemon and a keeper: one message per packet, version first.
package enum KeeperMessage {
    /// The version of both directions. A daemon must understand the keepers that an older daemon left behind.
    package static let version: UInt8 = 1
    /// No packet is longer: a tail, and a little.
    package static let maximumSize = 80 << 10
}

/// What a daemon tells a keeper.
package enum KeeperOrder: Equatable, Sendable {
    /// Start the workload; it may run until then.
    case go(deadline: Instant)
    /// It may run until then, if that is later than what was said before.
    case extend(deadline: Instant)
    /// Stop it: its stop signal, then KILL after its stop timeout.
    case stop
    /// Kill it now.
    case kill
    /// Send the last output.
    case tail
    /// The end of the run has been taken note of.
    case ack
    /// Send what of the output came after so many bytes of it.
    case output(after: UInt64)

    /// The packet.
    package func encode() -> Bytes {
        var writer = WireWriter(version: KeeperMessage.version)
        switch self {
        case .go(let deadline):
            writer.put(UInt8(1))
            writer.put(deadline)
        case .extend(let deadline):
            writer.put(UInt8(2))
            writer.put(deadline)
        case .stop: writer.put(UInt8(3))
        case .kill: writer.put(UInt8(4))
        case .tail: writer.put(UInt8(5))
        case .ack: writer.put(UInt8(6))
        case .output(let after):
            writer.put(UInt8(7))
            writer.put(after)
        }
        return writer.bytes
    }

    /// Reads a packet.
    package init(decoding bytes: Bytes) throws(WireError) {
        var reader = try WireReader(bytes, version: KeeperMessage.version)
        switch try reader.take(UInt8.self) {
        case 1: self = .go(deadline: try reader.takeInstant())
        case 2: self = .extend(deadline: try reader.takeInstant())
        case 3: self = .stop
        case 4: self = .kill
        case 5: self = .tail
        case 6: self = .ack
        case 7: self = .output(after: try reader.take())
        case _: throw .invalid
        }
        try reader.finish()
    }
}

/// What a keeper tells the daemon that it obeys.
package enum KeeperReport: Equatable, Sendable {
    /// The first message on every connection: who and where the keeper is.
    case hello(Hello)
    /// The workload's program runs.
    case started(pid: Int32, at: Instant)
    /// The workload's program could not be started; `ended` follows.
    case startFailed(step: StartStep, errno: Int32)
    /// The run is over, and nothing of it is left.
    case ended(RunEnd)
    /// The last output, stdout and stderr together as they came.
    case tail(Bytes)
    /// The output from that byte on, to the last there is; of what was asked for, older bytes than that are gone. `after`
    /// is the question's, so that it is known what this answers.
    case output(after: UInt64, from: UInt64, Bytes)
    /// What the workload last said of itself (`run.notify`): whether it is ready, and a line for people.
    case notified(isReady: Bool, status: String)

    /// Who a keeper is, and how far its run has come.
    package struct Hello: Equatable, Sendable {
        /// The run that it keeps.
        package var runID: String
        /// How far the run has come.
        package var phase: KeeperPhase
        /// Until when the workload may run; nil: no go was received yet.
        package var deadline: Instant?
        /// The workload's main process, while there is one.
        package var workload: Int32?
        /// The keeper's own process.
        package var keeper: Int32
        /// Its guard.
        package var guardian: Int32
        /// Whether it has real-time priority, so that a kill is not late on a busy machine.
        package var realtime: Bool

        /// A greeting.
        package init(
            runID: String, phase: KeeperPhase, deadline: Instant?, workload: Int32?, keeper: Int32, guardian: Int32,
            realtime: Bool
        ) {
            self.runID = runID
            self.phase = phase
            self.deadline = deadline
            self.workload = workload
            self.keeper = keeper
            self.guardian = guardian
            self.realtime = realtime
        }
    }

    /// The packet.
    package func encode() -> Bytes {
        var writer = WireWriter(version: KeeperMessage.version)
        switch self {
        case .hello(let hello):
            writer.put(UInt8(1))
            writer.put(hello.runID)
            writer.put(hello.phase.rawValue)
            writer.put(hello.deadline) { $0.put($1) }
            writer.put(hello.workload) { $0.put($1) }
            writer.put(hello.keeper)
            writer.put(hello.guardian)
            writer.put(hello.realtime)
        case .started(let pid, let at):
            writer.put(UInt8(2))
            writer.put(pid)
            writer.put(at)
        case .startFailed(let step, let errno):
            writer.put(UInt8(3))
            writer.put(step.rawValue)
            writer.put(errno)
        case .ended(let end):
            writer.put(UInt8(4))
            end.write(to: &writer)
        case .tail(let bytes):
            writer.put(UInt8(5))
            writer.put(bytes)
        case .output(let after, let from, let bytes):
            writer.put(UInt8(6))
            writer.put(after)
            writer.put(from)
            writer.put(bytes)
        case .notified(let isReady, let status):
            writer.put(UInt8(7))
            writer.put(isReady)
            writer.put(Bytes(status.utf8))
        }
        return writer.bytes
    }

    /// Reads a packet.
    package init(decoding bytes: Bytes) throws(WireError) {
        var reader = try WireReader(bytes, version: KeeperMessage.version)
        switch try reader.take(UInt8.self) {
        case 1: self = .hello(try Hello(from: &reader))
        case 2: self = .started(pid: try reader.take(), at: try reader.takeInstant())
        case 3: self = .startFailed(step: try StartStep(from: &reader), errno: try reader.take())
        case 4: self = .ended(try RunEnd(from: &reader))
        case 5: self = .tail(try reader.takeBytes())
        case 6:
            self = .output(after: try reader.take(), from: try reader.take(), try reader.takeBytes())
        case 7:
            self = .notified(
                isReady: try reader.takeBool(), status: String(decoding: try reader.takeBytes(), as: UTF8.self))
        case _: throw .invalid
        }
        try reader.finish()
    }
}

extension KeeperReport.Hello {
    fileprivate init(from reader: inout WireReader) throws(WireError) {
        runID = try reader.takeString()
        guard let phase = KeeperPhase(rawValue: try reader.take()) else { throw .invalid }
        self.phase = phase
        deadline = try reader.takeOptional { reader throws(WireError) in try reader.takeInstant() }
        workload = try reader.takeOptional { reader throws(WireError) in try reader.take(Int32.self) }
        keeper = try reader.take()
        guardian = try reader.take()
        realtime = try reader.takeBool()
    }
}

/// How far a run has come.
package enum KeeperPhase: UInt8, Equatable, Sendable, CaseIterable {
    /// No go yet: nothing was started.
    case waiting = 1
    /// Between go and exec.
    case starting = 2
    /// The workload runs.
    case running = 3
    /// It was asked to stop.
    case stopping = 4
    /// It was told that its lease runs out.
    case leaseEnding = 5
    /// Its main process ended, or KILL was sent; what is left is being killed.
    case clearing = 6
    /// Nothing of it is left.
    case ended = 7
}
