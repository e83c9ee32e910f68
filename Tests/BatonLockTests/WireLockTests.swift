// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

/// Each method of a `Lock` meets each fault: it ends in time and tells the truth, no lock is left that nobody knows of,
/// and those who wait for it get it in the end.
@Suite(.timeLimit(.minutes(2)))
struct WireLockTests {
    @Test(arguments: WireCall.all)
    func callsTellWhatBecameOfThem(row: WireCall) async throws {
        try await WireCell.withTaughtServer { server in
            await WireCell.each(WireCase.all) { number, column in
                try await WireCell.with("\(row.testDescription), \(column.name)", server, number: number) { cell in
                    try await Self.meet(row, column, cell)
                }
            } title: {
                "\(row.testDescription), \($0.name)"
            }
        }
    }

    private static func meet(_ row: WireCall, _ column: WireCase, _ cell: WireCell) async throws {
        let (title, proxy) = (cell.title, cell.proxy)
        let lock = try Lock(cell.store, name: cell.lock, timeout: row.timeout(column), fences: row.fences)
        if !row.acquires { try await cell.insists { try await lock.acquire() } }
        let step = WireStep(command: row.command)
        column.isLasting ? proxy.strikeAlways(step, column.fault) : proxy.strike(step, column.fault)

        // Another one waits for the lock from the fault on, by the same store.
        async let next: Void = waitNext(row, column, cell)
        let start = ContinuousClock.now
        let outcome: Result<Bool, any Error>
        do { outcome = .success(try await row.call(lock, row.wait(column))) } catch { outcome = .failure(error) }
        let time = ContinuousClock.now - start
        // An acquire that does not know takes back what it may have got: within four more answers' time.
        let answer = row.timeout(column).map { min($0 / 6, .seconds(1)) } ?? .seconds(1)
        #expect(time < answer * (row.acquires ? 5 : 1) + WireCell.margin, "\(title): it took \(time)")
        if WireCell.isPunctual { judge(outcome, row, column, cell) }
        proxy.calm()
        proxy.deliver()

        // Whatever became of it, the holder can end it, and the next one gets it.
        if case .success(true) = outcome, row.acquires { #expect(lock.lease != nil, "\(title)") }
        if case .failure = outcome, row.acquires { #expect(lock.lease == nil, "\(title)") }
        if lock.lease != nil { try await cell.givesBack(lock) }
        if case .failure(let error as LockError) = outcome, row.acquires, error.code == .unknownOutcome {
            try await cell.givesBack(lock)
        }
        try await next
        try await proxy.settle()
        #expect(try cell.holder == nil, "\(title): a lock is left")
        #expect(proxy.swallowed < 16 << 20, "\(title): \(proxy.swallowed) bytes were taken in")

        try await cell.insists { try await lock.acquire(.atMost(.seconds(10))) }
        #expect(try cell.holder != nil)
        try await cell.givesBack(lock)
    }

    private static func waitNext(_ row: WireCall, _ column: WireCase, _ cell: WireCell) async throws {
        try await cell.proxy.struck()
        // Where every attempt meets the fault there is no point in waiting during it.
        if column.isLasting { return }
        let next = try Lock(cell.store, name: cell.lock)
        let start = ContinuousClock.now
        try await cell.insists { try await next.acquire(.atMost(.seconds(20))) }
        let time = ContinuousClock.now - start
        #expect(time < .seconds(5) + WireCell.margin, "\(cell.title): the next one waited \(time)")
        try await cell.givesBack(next)
    }

    private static func judge(
        _ outcome: Result<Bool, any Error>, _ row: WireCall, _ column: WireCase, _ cell: WireCell
    ) {
        let title = cell.title
        // What was taken back was not applied: nothing is unknown about it.
        let unknown = row.acquires && row.token == nil ? LockError.Code.unreachable : .unknownOutcome
        switch (outcome, column.expectation) {
        case (.success(true), .succeeds), (.success(true), .succeedsOrUnknown): break
        case (.failure(let error as LockError), .unknown), (.failure(let error as LockError), .succeedsOrUnknown):
            #expect(error.code == unknown, "\(title): \(error.code): \(error)")
        case (.failure(let error as LockError), .fails(let code, let word)):
            // A replica is left, and its connection may not have a successor when the time is up.
            let codes = code == .unavailable ? [code, .unreachable] : [code]
            #expect(codes.contains(error.code), "\(title): \(error.code): \(error)")
            #expect(error.message.contains(word), "\(title): \(error)")
        case (.success, _), (.failure, _): Issue.record("\(title): \(outcome)")
        }
    }
}
