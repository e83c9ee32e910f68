// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// The calling task is cancelled at each step of each method: the call ends, soon, and no lock is left behind.
@Suite(.timeLimit(.minutes(2)))
struct WireCancellationTests {
    @Test(arguments: WireCall.all)
    func cancelledCallsLeaveNothingBehind(row: WireCall) async throws {
        let moments = WireMoment.all + (row.acquires ? WireMoment.waiting : [])
        try await WireCell.withTaughtServer { server in
            await WireCell.each(moments) { number, moment in
                try await WireCell.with(
                    "\(row.testDescription), cancelled \(moment.name)", server, number: number,
                    { if moment.isIdle { $0.requestTimeout = .seconds(30) } }
                ) { cell in try await Self.cancel(row, moment, cell) }
            } title: {
                "\(row.testDescription), cancelled \($0.name)"
            }
        }
    }

    private static func cancel(_ row: WireCall, _ moment: WireMoment, _ cell: WireCell) async throws {
        let (title, proxy) = (cell.title, cell.proxy)
        let timeout: Duration? = row.isLasting ? nil : WireCell.brief * 6
        let lock = try Lock(cell.store, name: cell.lock, timeout: timeout, fences: row.fences)
        if !row.acquires { try await cell.insists { try await lock.acquire() } }
        try moment.prepare(cell, row)

        let task = Task { try await row.call(lock, .forever) }  // cancelled, and awaited, below
        try await moment.comes(cell)
        task.cancel()
        let start = ContinuousClock.now
        if moment.goesOn {
            proxy.calm()
            proxy.deliver()
        }
        let outcome = await task.result
        let time = ContinuousClock.now - start
        let answer = timeout.map { $0 / 6 } ?? .seconds(1)
        let limit = moment.isIdle ? .zero : answer * (row.acquires ? 5 : 2)
        #expect(time < limit + WireCell.margin, "\(title): it took \(time)")
        proxy.calm()
        proxy.deliver()

        switch outcome {
        case .failure(let error as LockError) where error.code == .unknownOutcome && row.acquires:
            #expect(row.token != nil, "\(title): \(error)")
            try await cell.givesBack(lock)
        case .failure(let error) where row.acquires:
            #expect(error is CancellationError, "\(title): \(error)")
            #expect(lock.lease == nil, "\(title)")
        case .success, .failure: if lock.lease != nil { try await cell.givesBack(lock) }
        }
        try await proxy.settle()
        let left = try cell.holder
        #expect(left == nil || left == bytes("other"), "\(title): a lock is left")
        try cell.server.ask("DEL", cell.lock)
        try await cell.insists { try await lock.acquire(.atMost(.seconds(10))) }
        try await cell.givesBack(lock)
    }
}
