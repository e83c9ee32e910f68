// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Who may do what on the control socket.
///
/// Root and the daemon's own user may do everything; operators may act and look; group `baton` may look. Whoever is none
/// of these gets no answer but a refusal.
package struct ControlAccess: Equatable, Sendable {
    /// What a request needs.
    package enum Right: Equatable, Sendable, Comparable {
        /// To be shown the node, its jobs and how they fare.
        case look
        /// To change something; and to read what workloads print, which may hold what is not for everybody who looks.
        case act
    }

    /// A group, by number, with the name that it is known by.
    package struct Group: Equatable, Sendable {
        package var name: String
        package var id: UInt32

        package init(name: String, id: UInt32) {
            self.name = name
            self.id = id
        }
    }

    package var daemonUser: UInt32
    /// Members may look.
    package var viewers: Group?
    /// Members may act: `control.operators`.
    package var operators: Group?

    package init(daemonUser: UInt32, viewers: Group? = nil, operators: Group? = nil) {
        self.daemonUser = daemonUser
        self.viewers = viewers
        self.operators = operators
    }

    /// The most that a peer may do; nil: nothing.
    package func right(of peer: ControlPeer) -> Right? {
        if peer.uid == 0 || peer.uid == daemonUser { return .act }
        if let operators, peer.isMember(of: operators.id) { return .act }
        if let viewers, peer.isMember(of: viewers.id) { return .look }
        return nil
    }

    /// Why a peer may not; nil: it may.
    package func refusal(of peer: ControlPeer, needing right: Right) -> String? {
        let has = self.right(of: peer)
        if let has, has >= right { return nil }
        let also =
            switch right {
            case .look: [operators, viewers].compactMap { $0?.name }
            case .act: [operators].compactMap { $0?.name }
            }
        let members = also.isEmpty ? "" : " and members of group \(also.joined(separator: " or "))"
        let who = "only root\(members.isEmpty ? " and" : ",") batond's own user\(members) may do this"
        return "\(who); you are uid \(peer.uid)" + (has == .look ? ", who may look" : "")
    }
}
