// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

/// The store takes a lock for us, cannot say so, and stays away for longer than an acquire takes back what it may have.
@Suite(.timeLimit(.minutes(2)))
struct WireOutageTests {
    enum Ending: CaseIterable { case released, takenOver, cancelledAndReleased, takenOverByAnotherWait }

    @Test func theLockThatMayBeHeldIsKnownToItsObject() async throws {
        try await WireCell.withTaughtServer { server in
            await WireCell.each(Ending.allCases) { number, ending in
                try await WireCell.with("\(ending)", server, number: number) { cell in
                    try await Self.outlast(cell, ending)
                }
            } title: {
                "\($0)"
            }
        }
    }

    private static func outlast(_ cell: WireCell, _ ending: Ending) async throws {
        let lock = try Lock(cell.store, name: cell.lock)
        cell.proxy.strike(WireStep(command: "EVALSHA"), .replyCut(.before, .rst))
        let wait = ending == .cancelledAndReleased ? Lock.Wait.forever : .no
        let task = Task { try await lock.acquire(wait) }  // awaited below
        try await cell.proxy.struck()
        cell.proxy.refuse()
        if ending == .cancelledAndReleased { task.cancel() }
        let error = await #expect(throws: LockError.self) { try await task.value }
        #expect(error?.code == .unknownOutcome, "\(cell.title): \(String(describing: error))")
        #expect(lock.lease == nil)
        let token = try #require(try cell.holder)

        cell.proxy.calm()
        try await cell.comesBack()
        switch ending {
        case .released, .cancelledAndReleased: try await lock.release()
        case .takenOver, .takenOverByAnotherWait:
            #expect(try await lock.acquire(ending == .takenOver ? .no : .atMost(.seconds(20))))
            #expect(try cell.holder == token, "\(cell.title): it was recognised")
            #expect(lock.lease?.fence != nil)
            try await lock.release()
        }
        #expect(try cell.holder == nil, "\(cell.title): a lock is left")
        #expect(await code { try await lock.release() } == .notHeld, "\(cell.title)")
    }
}
