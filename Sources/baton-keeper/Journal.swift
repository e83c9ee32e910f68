// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc

/// The journal's socket for its native protocol, or nothing where there is no journal.
final class Journal {
    private let path: String
    private var socket: Int32

    /// Nil: there is no journal here.
    init?(socket path: String) {
        self.path = path
        socket = clinux_unix_connect(-1, path, Int32(SOCK_DGRAM.rawValue))
        if socket < 0 { return nil }
    }

    /// Sends one entry, or does not: then it is lost.
    func send(_ entry: Bytes) -> Bool {
        let sent = clinux_send(socket, entry, entry.count)
        if sent >= 0 { return true }
        if sent == -Int(EAGAIN) { return false }
        // The journal was restarted: its old socket is no more.
        if socket >= 0 { close(socket) }
        socket = clinux_unix_connect(-1, path, Int32(SOCK_DGRAM.rawValue))
        return socket >= 0 && clinux_send(socket, entry, entry.count) >= 0
    }
}

/// One of a workload's streams, cut into lines for the journal.
struct JournalStream {
    private let journal: Journal
    /// The entry that is being filled: the fields, which stay, and the line so far.
    private var entry: Bytes
    private let fieldsSize: Int
    private var dropped = 0

    /// A longer line becomes several entries.
    private static let lineLimit = 8 << 10

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

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                sendLine()
            } else {
                entry.append(byte)
                if entry.count - fieldsSize >= Self.lineLimit { sendLine() }
            }
        }
    }

    /// The stream is over: its last line may have no end.
    mutating func finish() {
        sendLine()
        if dropped > 0 { tellDropped() }
    }

    /// Empty lines are left out, as systemd does.
    private mutating func sendLine() {
        if entry.count == fieldsSize { return }
        if dropped > 0 { tellDropped() }
        entry.append(UInt8(ascii: "\n"))
        if !journal.send(entry) { dropped += 1 }
        entry.removeLast(entry.count - fieldsSize)
    }

    private mutating func tellDropped() {
        let note = entry[..<fieldsSize] + Bytes("baton: the journal did not take \(dropped) lines\n".utf8)
        if journal.send(Bytes(note)) { dropped = 0 }
    }
}
