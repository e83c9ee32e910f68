// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

/// A row of the matrix: one request of a store.
struct WireRequest: Sendable, CustomTestStringConvertible {
    static let token = "mine"

    let testDescription: String
    /// The request that the faults strike.
    let command: String
    /// The server knows the script. When it does not, a second request carries the text.
    var isKnown = true
    /// What the store may rely on beforehand.
    var prepare: @Sendable (WireCell) throws -> Void = { try $0.hold(WireRequest.token) }
    /// The request; false when its answer is not what it should be.
    let send: @Sendable (WireCell, Duration) async throws(LockError) -> Bool
    /// Whether the server has done it; nil: it leaves no trace.
    let isDone: @Sendable (WireCell) throws -> Bool?

    static let all = [
        acquire("acquire", "EVALSHA"),
        acquire("acquire, the script being unknown", "EVAL", isKnown: false),
        WireRequest(
            testDescription: "plain acquire", command: "SET", prepare: { _ in },
            send: { cell, timeout throws(LockError) in
                let request = AcquireRequest(
                    keys: cell.keys, token: bytes(token), tokenIsFresh: false, timeout: .seconds(20))
                return try await cell.store.acquire(request, timeout: timeout).reply.grant != nil
            },
            isDone: { try $0.holder == bytes(token) }),
        renewal("reacquire", .reset(.seconds(60))),
        renewal("extend", .add(.seconds(60))),
        WireRequest(
            testDescription: "release", command: "EVALSHA",
            send: { cell, timeout throws(LockError) in
                let request = ReleaseRequest(keys: cell.keys, token: bytes(token), guarding: false)
                return try await cell.store.release(request, timeout: timeout)
            },
            isDone: { try $0.holder == nil }),
        WireRequest(
            testDescription: "look", command: "EVALSHA",
            send: { cell, timeout throws(LockError) in
                try await cell.store.look(at: cell.keys, timeout: timeout).token == bytes(token)
            },
            isDone: { _ in nil }),
    ]

    private static func acquire(_ name: String, _ command: String, isKnown: Bool = true) -> WireRequest {
        WireRequest(
            testDescription: name, command: command, isKnown: isKnown, prepare: { _ in },
            send: { cell, timeout throws(LockError) in
                var request = AcquireRequest(
                    keys: cell.keys, token: bytes(token), tokenIsFresh: true, timeout: .seconds(20))
                request.fence = .init()
                return try await cell.store.acquire(request, timeout: timeout).reply.grant != nil
            },
            isDone: { try $0.holder == bytes(token) })
    }

    private static func renewal(_ name: String, _ change: RenewRequest.Change) -> WireRequest {
        WireRequest(
            testDescription: name, command: "EVALSHA",
            send: { cell, timeout throws(LockError) in
                let request = RenewRequest(keys: cell.keys, token: bytes(token), change: change)
                if case .renewed = try await cell.store.renew(request, timeout: timeout).reply { return true }
                return false
            },
            isDone: { try $0.timeToLive > .seconds(30) })
    }

    /// The faults of this row: those of all, and an unknown script.
    var cases: [WireCase] {
        let noScript = WireFault.refused(WireCase.noScript)
        let says = WireCase.Expectation.fails(.refused, saying: "NOSCRIPT")
        return WireCase.all + [
            WireCase(
                name: "once NOSCRIPT", fault: noScript, expectation: command == "EVALSHA" ? .succeeds : says),
            WireCase(name: "always NOSCRIPT", fault: noScript, expectation: says, isLasting: true),
        ]
    }
}
