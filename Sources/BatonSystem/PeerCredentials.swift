// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Glibc

extension ControlPeer {
    /// Asks the kernel who connected to a Unix socket.
    ///
    /// - Throws: what failed: then nothing is known of the peer, and it may do nothing. A kernel that does not tell
    ///   supplementary groups is no error: the peer has none, and may do less.
    package init(socket: Int32) throws(SystemError) {
        var (pid, uid, gid) = (pid_t(0), uid_t(0), gid_t(0))
        try checked(clinux_peer(socket, &pid, &uid, &gid), "getsockopt SO_PEERCRED")
        self.init(pid: pid, uid: uid, gid: gid, groups: Self.groups(socket))
    }

    private static func groups(_ socket: Int32) -> [UInt32] {
        // Few are in more than 64; nobody in more than NGROUPS_MAX.
        for room in [64, 65536] {
            var groups = [gid_t](repeating: 0, count: room)
            let count = clinux_peer_groups(socket, &groups, room)
            if count >= 0 { return Array(groups.prefix(Int(count))) }
            if count != -ERANGE { break }
        }
        return []
    }
}
