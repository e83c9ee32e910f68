// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

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
            case .fails(.unavailable, _): Duration.milliseconds(600)
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
        if WireCell.isPunctual { judge(outcome, column, title) }
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
            // A replica is left, and its connection may not have a successor when the time is up.
            let codes = code == .unavailable ? [code, .unreachable] : [code]
            #expect(codes.contains(error.code), "\(title): \(error.code): \(error)")
            #expect(error.message.contains(word), "\(title): \(error)")
        case (.success, _), (.failure, .succeeds): Issue.record("\(title): \(outcome)")
        }
    }
}
