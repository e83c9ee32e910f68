// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Glibc

/// A connection to the journal's socket for its native protocol. It never waits: not even `sd_journal_send` promises that,
/// and a journal that hangs must hold up neither an election nor the end of a lease.
///
/// An entry is one datagram, so its size has a bound, of which entries of ours stay well clear.
package struct JournalSocket {
    private let path: String
    /// Writable when the journal has room; −1 while there is no connection.
    package private(set) var descriptor: Int32

    /// Where journald listens.
    package static let standardPath = "/run/systemd/journal/socket"

    /// What became of an entry.
    package enum Outcome: Sendable {
        case taken
        /// The journal has no room now: it is slow, or it hangs.
        case noRoom
        /// There is no journal any more.
        case lost
    }

    /// Nil: there is no journal here.
    package init?(path: String = JournalSocket.standardPath) {
        self.path = path
        descriptor = clinux_unix_connect(-1, path, Int32(SOCK_DGRAM.rawValue))
        if descriptor < 0 { return nil }
    }

    /// Ends the connection.
    package mutating func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }

    /// Sends one entry, or does not.
    package mutating func send(_ entry: Bytes) -> Outcome {
        outcome { clinux_send($0, entry, entry.count) }
    }

    /// Sends one entry whose middle lies elsewhere, or does not.
    package mutating func send(_ head: Bytes, _ middle: UnsafeRawBufferPointer, _ end: Bytes) -> Outcome {
        outcome { descriptor in
            head.withUnsafeBytes { head in
                end.withUnsafeBytes { end in
                    withUnsafeTemporaryAllocation(of: iovec.self, capacity: 3) { parts in
                        for (index, part) in [head, middle, end].enumerated() {
                            parts[index] = iovec(
                                iov_base: UnsafeMutableRawPointer(mutating: part.baseAddress), iov_len: part.count)
                        }
                        return clinux_send_parts(descriptor, parts.baseAddress, 3)
                    }
                }
            }
        }
    }

    private mutating func outcome(of send: (Int32) -> Int) -> Outcome {
        if descriptor >= 0 {
            let sent = send(descriptor)
            if sent >= 0 { return .taken }
            switch Int32(-sent) {
            case EAGAIN, ENOBUFS, EINTR: return .noRoom
            case EMSGSIZE: return .lost
            default: close()  // the journal was restarted: its old socket is no more
            }
        }
        descriptor = clinux_unix_connect(-1, path, Int32(SOCK_DGRAM.rawValue))
        return descriptor >= 0 && send(descriptor) >= 0 ? .taken : .lost
    }
}

extension JournalSocket {
    /// Whether standard error is connected to the journal: whether it is the very stream that `JOURNAL_STREAM` names.
    ///
    /// That the variable is there says nothing: it is inherited, also by a daemon whose output somebody sent elsewhere.
    package static func isStandardError(_ variable: String?) -> Bool {
        var info = stat()
        guard let variable, fstat(STDERR_FILENO, &info) == 0 else { return false }
        return variable == "\(info.st_dev):\(info.st_ino)"
    }
}
