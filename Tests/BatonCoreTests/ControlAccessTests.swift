// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Who may do what on the control socket, for each kind of peer.
@Suite struct ControlAccessTests {
    private static let access = ControlAccess(
        daemonUser: 990, viewers: .init(name: "baton", id: 41), operators: .init(name: "wheel", id: 42))

    @Test(
        arguments: [
            (0, 0, [], .act), (0, 7, [41], .act), (990, 990, [], .act), (990, 7, [], .act),
            (1000, 42, [], .act), (1000, 7, [5, 42], .act), (1000, 41, [42], .act), (1000, 42, [41], .act),
            (1000, 41, [], .look), (1000, 7, [41, 5], .look),
            (1000, 1000, [], nil), (1000, 0, [0, 990], nil), (65534, 65534, [65534], nil), (41, 7, [], nil),
            (42, 7, [], nil),
        ] as [(UInt32, UInt32, [UInt32], ControlAccess.Right?)])
    func eachPeerHasItsRight(uid: UInt32, gid: UInt32, groups: [UInt32], right: ControlAccess.Right?) {
        let peer = ControlPeer(pid: 1, uid: uid, gid: gid, groups: groups)
        #expect(Self.access.right(of: peer) == right)
        #expect((Self.access.refusal(of: peer, needing: .act) == nil) == (right == .act))
        #expect((Self.access.refusal(of: peer, needing: .look) == nil) == (right != nil))
    }

    @Test func withoutGroupsOnlyRootAndTheDaemonsUserMayAnything() {
        let access = ControlAccess(daemonUser: 990)
        #expect(access.right(of: ControlPeer(pid: 1, uid: 0, gid: 0)) == .act)
        #expect(access.right(of: ControlPeer(pid: 1, uid: 990, gid: 1)) == .act)
        #expect(access.right(of: ControlPeer(pid: 1, uid: 1000, gid: 0, groups: [0, 41, 42, 990])) == nil)
    }

    @Test func aRefusalSaysWhoMay() {
        let viewer = ControlPeer(pid: 1, uid: 1000, gid: 41)
        let stranger = ControlPeer(pid: 1, uid: 1001, gid: 7)
        #expect(
            Self.access.refusal(of: viewer, needing: .act)
                == "only root, batond's own user and members of group wheel may do this; you are uid 1000, who may look"
        )
        #expect(
            Self.access.refusal(of: stranger, needing: .look)
                == "only root, batond's own user and members of group wheel or baton may do this; you are uid 1001")
        #expect(
            ControlAccess(daemonUser: 0).refusal(of: stranger, needing: .act)
                == "only root and batond's own user may do this; you are uid 1001")
    }
}
