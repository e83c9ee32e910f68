// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Who is at the other end of a control connection, as the kernel recorded it when the peer connected.
package struct ControlPeer: Equatable, Sendable {
    package var pid: Int32
    package var uid: UInt32
    package var gid: UInt32
    /// The supplementary groups that the process had, not those that a user database has for its user now: a database
    /// may be slow, may say something else a moment later, and does not know of a program that gave a group up.
    package var groups: [UInt32]

    package init(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32] = []) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
        self.groups = groups
    }

    /// Whether it was in a group, as its own or as a supplementary one.
    package func isMember(of group: UInt32) -> Bool { gid == group || groups.contains(group) }
}
