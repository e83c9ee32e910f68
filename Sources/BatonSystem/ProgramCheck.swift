// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import CLinux
import Glibc

/// Runs a program that is to say something, and to end by itself.
package enum ProgramCheck {
    /// Waits for its end; blocks.
    ///
    /// - Parameter limit: it is killed when it takes longer.
    /// - Returns: its exit code, and what it said, 4 KiB at most; nil for the code when it was killed.
    package static func run(
        _ path: String, _ arguments: [String], within limit: Duration
    ) throws(SystemError) -> (code: Int32?, output: String) {
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var output: Int32 = -1
        let pid = try checked(clinux_spawn_program(path, &words, &output), "execute \(path)")
        defer { close(output) }
        let process = try PidFd(of: pid)
        var said = Bytes()
        let deadline = BootClock.now() + limit
        var isOver = false
        while !isOver {
            let left = (deadline - BootClock.now()).milliseconds
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            if left <= 0 || poll(&waiting, 1, Int32(clamping: left)) == 0 {
                try process.signal(SIGKILL)
                break
            }
            var chunk = Bytes(repeating: 0, count: 4096)
            let count = read(output, &chunk, chunk.count)
            isOver = count <= 0
            if count > 0 { said += chunk[..<count].prefix(4096 - said.count) }
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let code: Int32? = status & 0x7f == 0 ? (status >> 8) & 0xff : nil
        return (code, String(decoding: said, as: UTF8.self))
    }
}
