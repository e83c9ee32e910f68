// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc

/// The place of the socket that metrics are served on.
///
/// It is bound beside its place and renamed into it when its mode is right. What was left by a daemon that was killed is
/// replaced; what somebody listens on, or is no socket, is not.
struct MetricsSocketFile: Sendable {
    let path: String
    var temporaryPath: String { path + MetricsAddress.temporarySuffix }

    /// Makes sure that nothing is lost by `publish()`.
    func prepare() throws(SystemError) {
        Files.remove(temporaryPath)
        var info = stat()
        guard lstat(path, &info) == 0 else { return }
        guard info.st_mode & S_IFMT == S_IFSOCK else { throw SystemError(errno: EEXIST, operation: "replace \(path)") }
        if isInUse { throw SystemError(errno: EADDRINUSE, operation: "listen on \(path)") }
    }

    /// Root's and the daemon's own to connect to, and its group's.
    ///
    /// - Parameter group: nil: the daemon's.
    func publish(group: UInt32?) throws(SystemError) {
        if let group { try Self.check(chown(temporaryPath, geteuid(), group), "give group \(group) \(temporaryPath)") }
        try Self.check(chmod(temporaryPath, 0o660), "chmod \(temporaryPath)")
        try Self.check(rename(temporaryPath, path), "rename \(temporaryPath)")
    }

    private static func check(_ result: Int32, _ operation: String) throws(SystemError) {
        let reason = errno
        if result != 0 { throw SystemError(errno: reason, operation: operation) }
    }

    func remove() {
        Files.remove(path)
        Files.remove(temporaryPath)
    }

    /// Whether somebody accepts connections there.
    private var isInUse: Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { return false }
        defer { close(descriptor) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        // One whose queue is full is in use as well.
        return result == 0 || errno == EAGAIN
    }
}
