// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Finds out, before anything is asked, whether somebody listens; the kernel's reason is the best there is.
enum SocketProbe {
    /// - Throws: a `Failure` that says in plain words why nobody can be reached at `path`.
    static func check(_ path: String) throws(Failure) {
        var address = sockaddr_un()
        let bytes = Array(path.utf8) + [0]
        guard bytes.count <= MemoryLayout.size(ofValue: address.sun_path) else {
            throw Failure(code: .unreachable, message: "\(path) is too long for the path of a socket (107 bytes)")
        }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }

        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else {
            throw Failure(code: .failed, message: "can't make a socket: \(String(cString: strerror(errno)))")
        }
        defer { close(descriptor) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        let error = errno
        guard result != 0 else { return }
        switch error {
        case ENOENT, ENOTDIR:
            throw Failure(code: .unreachable, message: "batond is not running here (no socket at \(path))")
        case ECONNREFUSED, ENOTSOCK, EPROTOTYPE:
            throw Failure(code: .unreachable, message: "batond is not running here (nobody listens at \(path))")
        case EACCES, EPERM:
            throw Failure(
                code: .notPermitted,
                message: """
                    not permitted to connect to \(path): root, batond's own user and members of group baton or of the \
                    group of control.operators may; a new membership counts from the next login on
                    """)
        case EAGAIN:
            return  // Its queue is full just now; the request waits for its turn.
        default:
            throw Failure(code: .unreachable, message: "can't reach \(path): \(String(cString: strerror(error)))")
        }
    }
}
