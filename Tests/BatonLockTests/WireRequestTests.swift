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

/// Each request of a store meets each fault: it ends in time, its error tells the truth about what was applied, and the
/// store goes on.
@Suite(.timeLimit(.minutes(2)))
struct WireRequestTests {
    @Test(arguments: WireRequest.all)
    func requestsTellWhatBecameOfThem(row: WireRequest) async throws {
        try await WireCell.withTaughtServer { server in
            await WireCell.each(row.cases) { number, column in
                try await WireCell.with("\(row.testDescription), \(column.name)", server, number: number) { cell in
                    try await Self.meet(row, column, cell)
                }
            } title: {
                "\(row.testDescription), \($0.name)"
            }
        }
    }

    private static func meet(_ row: WireRequest, _ column: WireCase, _ cell: WireCell) async throws {
        let (title, proxy) = (cell.title, cell.proxy)
        try row.prepare(cell)
        let isFallback = row.command == "EVALSHA" && column.name == "always NOSCRIPT"
        if !row.isKnown || isFallback {
            proxy.strikeAlways(WireStep(command: "EVALSHA"), .refused(WireCase.noScript))
        }
        let step = WireStep(command: isFallback ? "EVAL" : row.command)
        column.isLasting ? proxy.strikeAlways(step, column.fault) : proxy.strike(step, column.fault)

        let limit =
            switch column.expectation {
            case .fails(.unavailable, _): Duration.milliseconds(400)
            default: column.hangs ? WireCell.brief : patience
            }
        let start = ContinuousClock.now
        let outcome: Result<Bool, LockError>
        do throws(LockError) { outcome = .success(try await row.send(cell, limit)) } catch { outcome = .failure(error) }
        let time = ContinuousClock.now - start
        #expect(time < (limit == patience ? .zero : limit) + WireCell.margin, "\(title): it took \(time)")

        proxy.calm()
        proxy.deliver()
        try await proxy.settle()
        let isDone = try row.isDone(cell)
        judge(outcome, column, title)
        switch outcome {
        case .success: #expect(isDone != false, "\(title): it was not done")
        case .failure(let error) where error.code == .unknownOutcome:
            #expect(!proxy.strikes.isEmpty, "\(title): nothing was sent")
        case .failure(let error): #expect(isDone != true, "\(title): it was done all the same: \(error)")
        }
        #expect(proxy.swallowed < 16 << 20, "\(title): \(proxy.swallowed) bytes were taken in")
        try await cell.comesBack()
    }

    private static func judge(_ outcome: Result<Bool, LockError>, _ column: WireCase, _ title: String) {
        switch (outcome, column.expectation) {
        case (.success(true), .succeeds), (.success(true), .succeedsOrUnknown): break
        case (.failure(let error), .unknown), (.failure(let error), .succeedsOrUnknown):
            #expect(error.code == .unknownOutcome, "\(title): \(error.code): \(error)")
        case (.failure(let error), .fails(let code, let word)):
            #expect(error.code == code, "\(title): \(error.code): \(error)")
            #expect(error.message.contains(word), "\(title): \(error)")
        case (.success, _), (.failure, .succeeds): Issue.record("\(title): \(outcome)")
        }
    }
}
