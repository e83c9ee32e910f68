// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The program that this process runs, as it was started: to be begun anew from the disk, in the same process.
package struct ProgramImage: Sendable {
    /// Its file, or the one that an upgrade put in its place.
    package let path: String
    /// What it was started with, without its own name.
    package let arguments: [String]
    private let openFiles: rlimit
    /// The descriptors that the process was given.
    private let given: Set<Int32>

    /// Taken at the very start: the limit of open files is still the one that the process was given.
    ///
    /// - Parameter arguments: those of the command line, without the program's own name.
    package init(arguments: [String]) throws(SystemError) {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = try succeeded(
            Int32(readlink("/proc/self/exe", &buffer, buffer.count)), "readlink /proc/self/exe")
        path = String(decoding: buffer.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.arguments = arguments
        var limit = rlimit()
        try succeeded(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit), "getrlimit")
        openFiles = limit
        given = Set(Self.descriptors())
    }

    /// Begins the program anew: the process and its children stay, everything else of it ends here.
    ///
    /// Descriptors that the process was started with stay open, all others are closed. ``KeptSignals`` that were not taken
    /// are kept.
    ///
    /// - Parameter isToStop: whether the new program finds a SIGTERM waiting.
    /// - Returns: why that was not possible.
    package func begin(isToStop: Bool) -> SystemError {
        var limit = openFiles
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        var words = ([path] + arguments).map { strdup($0) } + [nil]
        if isToStop { KeptSignals.leaveStop() }
        // Not every library has its own closed by an exec: NIO does not.
        for descriptor in Self.descriptors() where !given.contains(descriptor) {
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        }
        let error = clinux_begin_program(path, &words)
        return SystemError(errno: -error, operation: "execute \(path)")
    }

    /// Without the one that was open to look, which is not any more.
    private static func descriptors() -> [Int32] {
        Files.entries(in: "/proc/self/fd").compactMap { Int32($0) }.filter { fcntl($0, F_GETFD) >= 0 }
    }
}
