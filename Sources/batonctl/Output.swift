// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// stdout and stderr, unbuffered.
enum Output {
    /// Whether a person reads stdout directly.
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// A text and a newline on stdout.
    static func line(_ text: String) { write(Array((text + "\n").utf8), to: STDOUT_FILENO) }

    /// Bytes on stdout, as they are.
    static func bytes(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }

    /// Bytes on stdout for somebody who follows. Who has closed it wants no more: then this program ends, and all is well.
    static func followed(_ bytes: [UInt8]) {
        signal(SIGPIPE, SIG_IGN)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                var ready = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                poll(&ready, 1, -1)
            } else if errno != EINTR {
                exit(errno == EPIPE ? 0 : 1)
            }
        }
    }

    /// Whether nobody can read stdout any more: then there is nothing to wait for.
    static var isClosed: Bool {
        var state = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&state, 1, 0) > 0 && state.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0
    }

    /// Ends the program, and all is well, when nobody can read stdout any more. Beside the answer that is followed: stdout may
    /// be closed while nothing comes that could be written to it. It ends with the program.
    static func endingWhenClosed() -> Task<Void, any Error> {
        Task.detached {
            while !isClosed { try await Task.sleep(for: .milliseconds(200)) }
            exit(0)
        }
    }

    /// A text and a newline on stderr.
    static func error(_ text: String) { write(Array((text + "\n").utf8), to: STDERR_FILENO) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        // NIO ignores SIGPIPE for the whole process; `batonctl logs x | head` shall end as any other program does.
        signal(SIGPIPE, SIG_DFL)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0, errno == EAGAIN {
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&ready, 1, -1)
            } else if count < 0, errno != EINTR {
                return  // A full disk or a closed terminal: there is nobody left to tell.
            }
        }
    }
}
