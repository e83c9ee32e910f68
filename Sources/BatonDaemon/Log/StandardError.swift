// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import CLinux
import Glibc
import Synchronization

/// Standard error, line by line. A pipe that nobody reads loses lines; it does not hold the daemon up.
final class StandardError: Sendable {
    /// Lines that were lost since one was last written. Behind the lock, so that lines of several threads do not mix.
    private let lost = Mutex(0)
    /// A pipe that says it has room takes so much without waiting.
    private static let portion = 4096

    /// Writes a line and its end, or loses it.
    func write(_ line: String) {
        lost.withLock { lost in
            if lost > 0, put("(\(lost) lines were lost here: nobody read them)") { lost = 0 }
            if lost > 0 || !put(line) { lost += 1 }
        }
    }

    /// - Returns: whether the line is out. Of a very long one the end may be missing.
    private func put(_ line: String) -> Bool {
        var rest = Bytes((line + "\n").utf8)[...]
        while !rest.isEmpty {
            var room = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            if poll(&room, 1, 0) <= 0 || room.revents & Int16(POLLOUT) == 0 { return false }
            let part = rest.prefix(Self.portion)
            let count = part.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count <= 0 { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}
