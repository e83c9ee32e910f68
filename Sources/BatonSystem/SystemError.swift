// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A system call that failed.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Why, as the kernel says it.
    package var errno: Int32
    /// What was tried, with its object: `open /run/baton/lock`.
    package var operation: String

    /// A failure of `operation`.
    package init(errno: Int32, operation: String) {
        self.errno = errno
        self.operation = operation
    }

    /// For people: the operation, and the reason in words.
    package var description: String {
        "\(operation): \(strerror(errno).map { String(cString: $0) } ?? "error \(errno)")"
    }
}

/// Turns the `-errno` convention of CLinux into an error; anything else is passed on.
@discardableResult
func checked(_ result: Int32, _ operation: @autoclosure () -> String) throws(SystemError) -> Int32 {
    if result < 0 { throw SystemError(errno: -result, operation: operation()) }
    return result
}

/// Turns the `errno` convention of libc into an error; anything but −1 is passed on.
@discardableResult
func succeeded(_ result: Int32, _ operation: @autoclosure () -> String) throws(SystemError) -> Int32 {
    if result == -1 { throw SystemError(errno: errno, operation: operation()) }
    return result
}
