// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// The journal's socket for its native protocol, or nothing where there is no journal.
final class Journal {
    private let path: String
    /// Writable when the journal has room.
    private(set) var socket: Int32

    /// What became of an entry.
    enum Outcome { case taken, noRoom, lost }

    /// Nil: there is no journal here.
    init?(socket path: String) {
        self.path = path
        socket = clinux_unix_connect(-1, path, Int32(SOCK_DGRAM.rawValue))
        if socket < 0 { return nil }
    }

    /// Sends one entry, or does not.
    func send(_ entry: Bytes) -> Outcome {
        let sent = clinux_send(socket, entry, entry.count)
        if sent >= 0 { return .taken }
        if sent == -Int(EAGAIN) { return .noRoom }
        // The journal was restarted: its old socket is no more.
        if socket >= 0 { close(socket) }
        socket = clinux_unix_connect(-1, path, Int32(SOCK_DGRAM.rawValue))
        return socket >= 0 && clinux_send(socket, entry, entry.count) >= 0 ? .taken : .lost
    }
}

/// One of a workload's streams, cut into lines for the journal.
///
/// A journal without room is given a moment, in which the stream is not read on; one that stays so is hung, and lines
/// are dropped and counted, until it takes one again.
struct JournalStream {
    private enum Flow: Equatable {
        case flowing
        case held(since: Instant)
        case dropping
    }

    private let journal: Journal
    /// The entry that is being filled: the fields, which stay, and the line so far.
    private var entry: Bytes
    private let fieldsSize: Int
    /// What was read and is not in an entry yet.
    private var backlog: Bytes = []
    private var flow = Flow.flowing
    private var dropped = 0

    /// A longer line becomes several entries.
    private static let lineLimit = 8 << 10
    /// A journal is given so long to make room.
    static let patience = Duration.seconds(1)

    init(_ journal: Journal, spec: LaunchSpec, name: String) {
        self.journal = journal
        let fields = [
            ("PRIORITY", name == "stderr" ? "3" : "6"),
            ("SYSLOG_IDENTIFIER", spec.job),
            ("BATON_JOB", spec.job),
            ("BATON_RUN_ID", spec.runID),
            ("BATON_FENCE", "\(spec.fence)"),
            ("BATON_NODE", spec.node),
            ("BATON_STREAM", name),
        ]
        entry = []
        for (key, value) in fields {
            // A line's end in a value would be the beginning of another field.
            entry += Bytes("\(key)=".utf8) + value.utf8.filter { $0 != UInt8(ascii: "\n") } + [UInt8(ascii: "\n")]
        }
        entry += Bytes("MESSAGE=".utf8)
        fieldsSize = entry.count
    }

    /// The journal's socket, while there is something that it has no room for.
    var awaited: Int32? {
        if case .held = flow { return journal.socket }
        return nil
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer, at now: Instant) {
        backlog += bytes
        goOn(at: now)
    }

    /// Passes on what there is, as far as the journal takes it.
    mutating func goOn(at now: Instant) {
        var used = 0
        defer { backlog.removeFirst(used) }
        while used < backlog.count {
            let byte = backlog[used]
            if byte == UInt8(ascii: "\n") || entry.count - fieldsSize >= Self.lineLimit {
                if !sendLine(at: now) { return }
                if byte != UInt8(ascii: "\n") { entry.append(byte) }
            } else {
                entry.append(byte)
            }
            used += 1
        }
    }

    /// The stream is over: its last line may have no end. Nothing runs any more, so this may wait for a journal without
    /// room, as long as it has patience: the last lines are those that say why a run ended.
    mutating func finish() {
        backlog.append(UInt8(ascii: "\n"))
        let start = BootClock.now()
        goOn(at: start)
        while let journal = awaited {
            var room = pollfd(fd: journal, events: Int16(POLLOUT), revents: 0)
            poll(&room, 1, 50)
            let now = BootClock.now()
            if now - start > Self.patience { flow = .dropping }
            goOn(at: now)
        }
        if dropped > 0 { tellDropped() }
    }

    /// Empty lines are left out, as systemd does.
    ///
    /// - Returns: whether the line is dealt with, sent or dropped; if not, it is to be tried again.
    private mutating func sendLine(at now: Instant) -> Bool {
        if entry.count == fieldsSize { return true }
        if dropped > 0 { tellDropped() }
        let outcome = journal.send(entry + [UInt8(ascii: "\n")])
        switch (outcome, flow) {
        case (.taken, _): flow = .flowing
        case (.noRoom, .flowing):
            flow = .held(since: now)
            return false
        case (.noRoom, .held(let since)) where now - since < Self.patience: return false
        case (.noRoom, .held), (.noRoom, .dropping):
            flow = .dropping
            dropped += 1
        case (.lost, _): dropped += 1
        }
        entry.removeLast(entry.count - fieldsSize)
        return true
    }

    private mutating func tellDropped() {
        let note = entry[..<fieldsSize] + Bytes("baton: the journal did not take \(dropped) lines\n".utf8)
        if journal.send(Bytes(note)) == .taken { dropped = 0 }
    }
}
