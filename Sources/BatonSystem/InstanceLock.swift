// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// A file's flock, held for life: at most one daemon per runtime directory. It ends with the process, however that ends.
package final class InstanceLock: Sendable {
    private let descriptor: Int32

    /// Why the lock could not be had.
    package enum Refusal: Error, Equatable, Sendable, CustomStringConvertible {
        /// Another process holds it; with what that one wrote about itself, which is its pid.
        case held(by: String)
        /// The file can't be opened or locked.
        case failed(SystemError)

        /// For people.
        package var description: String {
            switch self {
            case .held(let pid): "in use by another batond" + (pid.isEmpty ? "" : " (pid \(pid))")
            case .failed(let error): "\(error)"
            }
        }
    }

    /// Takes the lock without waiting, and writes this process's pid into the file.
    package init(path: String) throws(Refusal) {
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor < 0 { throw .failed(SystemError(errno: errno, operation: "open \(path)")) }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let reason = errno
            close(descriptor)
            if reason != EWOULDBLOCK { throw .failed(SystemError(errno: reason, operation: "flock \(path)")) }
            // Who it is, is for people only: an unreadable file changes nothing.
            let text = (try? Files.read(path, limit: 64)).flatMap { $0 } ?? Bytes()
            throw .held(by: String(decoding: text.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
        }
        self.descriptor = descriptor
        let line = "\(getpid())\n"
        ftruncate(descriptor, 0)
        pwrite(descriptor, line, line.utf8.count, 0)
    }

    deinit { close(descriptor) }
}
