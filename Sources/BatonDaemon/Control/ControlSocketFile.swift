// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Logging

/// Why the control socket can't be offered.
package struct ControlSocketError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is wrong, with the path, as an operator should read it.
    package let description: String
}

/// The socket's place in the file system.
///
/// It is bound beside its place, gets its owner and mode there, and is renamed into place: nobody can connect to a
/// socket whose mode is not yet right, and a stale socket of a daemon that was killed is replaced in the same step.
/// That no live daemon is replaced is known from the runtime directory's flock, which batond holds before it comes here.
struct ControlSocketFile: Equatable, Sendable {
    /// Where clients connect.
    let path: String
    /// Where it is bound first: same folder, and never longer than `path` in the usual place.
    let temporaryPath: String

    /// What fits into `sun_path` with its final zero.
    static let longestPath = 107

    init(path: String) throws(ControlSocketError) {
        guard path.hasPrefix("/"), !path.utf8.contains(0), let slash = path.lastIndex(of: "/") else {
            throw ControlSocketError(description: "the path of the control socket, \"\(path)\", is not absolute")
        }
        self.path = path
        temporaryPath = path[...slash] + ".control.new"
        let length = max(path.utf8.count, temporaryPath.utf8.count)
        guard length <= Self.longestPath else {
            throw ControlSocketError(
                description: """
                    the path of the control socket is too long: a Unix socket's path may have \(Self.longestPath) bytes, \
                    \(path) has \(length); choose a shorter --runtime-dir
                    """)
        }
    }

    /// Gives the bound socket its owner, mode and access control list, and moves it into place.
    ///
    /// Root and the daemon's user may connect; so may the group of those who may look, which owns the socket; so may the
    /// operators, by the list: they need not be in that group. Nobody else comes as far as to send a byte.
    func publish(for access: ControlAccess, logger: Logger) throws(ControlSocketError) {
        try check("change the mode of", chmod(temporaryPath, 0o600))
        if let viewers = access.viewers {
            try check("give group \(viewers.name)", chown(temporaryPath, geteuid(), viewers.id))
            try check("change the mode of", chmod(temporaryPath, 0o660))
        }
        if let operators = access.operators, operators != access.viewers {
            do throws(SystemError) {
                try Files.admit(group: operators.id, to: temporaryPath, owningGroupMay: access.viewers != nil)
            } catch {
                // No reason for a node to stay away: who is in both groups can still act.
                let group = access.viewers.map { "operators have to be in group \($0.name) as well" }
                logger.warning(
                    "operators can't connect",
                    metadata: ["reason": "\(error); \(group ?? "only root and batond's own user can")"])
            }
        }
        try check("put into place", rename(temporaryPath, path))
    }

    /// Takes the socket away, so that a client learns at once that nobody is there.
    func remove() {
        unlink(path)
        unlink(temporaryPath)
    }

    private func check(_ what: String, _ result: Int32) throws(ControlSocketError) {
        let error = errno
        guard result != 0 else { return }
        throw ControlSocketError(
            description: "can't \(what) the control socket \(path): \(String(cString: strerror(error)))")
    }
}
