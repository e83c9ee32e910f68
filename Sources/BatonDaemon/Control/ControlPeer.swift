// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore

/// Who is at the other end of a control connection, as the kernel recorded it when the peer connected.
///
/// The layout is that of the kernel's `struct ucred`.
package struct ControlPeer: Equatable, Sendable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32

    package init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }

    /// Whether the peer may change something. Root and the daemon's own user may; whoever else could connect (the
    /// socket's mode lets in group `baton`) may only look.
    package func mayAct(daemonUser: UInt32) -> Bool {
        uid == 0 || uid == daemonUser
    }

    /// Asks the kernel. An error means that nothing is known of the peer, and that it may do nothing.
    static func of(_ channel: any Channel) async throws -> ControlPeer {
        guard let options = channel as? any SocketOptionProvider else {
            throw ChannelError.operationUnsupported
        }
        return try await options.unsafeGetSocketOption(level: .socket, name: .init(rawValue: SO_PEERCRED)).get()
    }
}
