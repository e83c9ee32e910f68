// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// A password in a file of its own, as systemd credentials are.
enum PasswordFile {
    private static let largest = 4096

    /// The first line of the file at an absolute path. The file may be a link: credentials are.
    static func read(_ path: String) throws(ConfigProblem) -> Secret {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        if descriptor < 0 {
            throw ConfigProblem(file: path, message: "cannot be read: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        var found = stat()
        if fstat(descriptor, &found) != 0 || found.st_mode & S_IFMT != S_IFREG {
            throw ConfigProblem(file: path, message: "is not a regular file")
        }
        if found.st_mode & 0o006 != 0 {
            throw ConfigProblem(file: path, message: "can be read by everyone on this machine; chmod it to 600 or 640")
        }
        var buffer = [UInt8](repeating: 0, count: largest + 1)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count < 0 { throw ConfigProblem(file: path, message: "cannot be read: \(String(cString: strerror(errno)))") }
        if count > largest { throw ConfigProblem(file: path, message: "is too large for a password") }
        var bytes = buffer[..<count]
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        if bytes.isEmpty { throw ConfigProblem(file: path, message: "is empty; wanted a password") }
        if bytes.contains(0) || bytes.contains(UInt8(ascii: "\n")) {
            throw ConfigProblem(file: path, message: "has more than one line, or a NUL byte; wanted a password")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigProblem(file: path, message: "is not valid UTF-8")
        }
        return Secret(text)
    }
}
