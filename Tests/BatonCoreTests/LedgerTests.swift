// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What a ledger does when the store's clock is put back. (All else about it: `LedgerConformance`, on every store.)
struct LedgerTests {
    private let keys = LockKeys(prefix: "baton", job: "report")
    private var store = StoreModel(clock: .server)

    private func moment(_ second: Int64) -> StoreModel.Moment { .init(time: second * 1_000_000, random: [1]) }

    private mutating func ask(_ call: UInt8, _ second: Int64) -> LedgerView.Asked {
        store.ask(AskRequest(keys: keys, by: "ops", call: [call]), at: moment(second)).0
    }

    private mutating func settle(_ second: Int64, floor: Int64 = 0, fence: Int64 = 0) -> LedgerView {
        store.settle(SettleRequest(keys: keys, guarding: nil, floor: floor, fence: fence), at: moment(second))
    }

    private mutating func acquire(_ token: UInt8, _ claim: LedgerClaim, _ second: Int64) throws -> AcquireReply {
        var request = AcquireRequest(keys: keys, token: [token], tokenIsFresh: true, timeout: .seconds(10))
        request.fence = .init()
        request.claim = claim
        return try store.acquire(request, at: moment(second))
    }

    @Test mutating func wishesGrowAndTheirRunsHaveLargerFences() throws {
        let view = settle(1000)
        let first = ask(1, 1000)
        var claim = LedgerClaim(expected: view.entry?.key, tick: 1000, manual: first.id, info: [1])
        // An hour back.
        guard case .granted(let grant) = try acquire(1, claim, 100) else { throw Failure() }
        #expect(try #require(grant.fence) > first.id)
        _ = store.release(ReleaseRequest(keys: keys, token: [1], guarding: false), at: 100_000_000)
        let second = ask(2, 100)
        #expect(second.id == (grant.fence ?? 0) + 1)
        // Nothing was lost: it is granted.
        claim = LedgerClaim(
            expected: store.look(at: keys, withLedger: true, at: 0).ledger?.entry?.key, tick: 1000, manual: second.id,
            info: [2])
        guard case .granted = try acquire(2, claim, 100) else { throw Failure() }
    }

    @Test mutating func aWishIsNeverOneThatWasGivenUp() throws {
        _ = settle(1000)
        let first = ask(1, 1000)
        // Told of by who is not the holder: the fence that the store grants next is no larger for it.
        let run = LedgerEntry(tick: 1002, attempt: 1, fence: first.id + 5, changed: 0, info: [1])
        let record = RunRecord(run: run, outcome: [1], line: nil)
        _ = store.release(ReleaseRequest(keys: keys, token: [1], guarding: false, outcome: record), at: 1_000_000_000)
        #expect(store.look(at: keys, withLedger: true, at: 0).ledger?.asked == nil)
        #expect(ask(2, 100).id == first.id + 1)
    }

    @Test mutating func anEmptyLedgerIsSettledUpToWhatIsKnownAndNow() {
        #expect(settle(1000, floor: 5000).entry?.tick == 5000)
        store.forgetLedger(keys)
        #expect(settle(1000, floor: 500).entry?.tick == 1000)
    }

    @Test mutating func aTickThatWasClaimedIsNotClaimedAgainWhenItsTimeComesAgain() throws {
        let view = settle(1000)
        let claim = LedgerClaim(expected: view.entry?.key, tick: 1001, info: [1])
        guard case .granted = try acquire(1, claim, 1000) else { throw Failure() }
        _ = store.release(ReleaseRequest(keys: keys, token: [1], guarding: false), at: 1_000_000_000)
        let after = try #require(store.look(at: keys, withLedger: true, at: 0).ledger)
        for (tick, second) in [(500, 500), (1001, 1001), (1002, 1000)] as [(Int64, Int64)] {
            let next = LedgerClaim(expected: after.entry?.key, tick: tick, info: [2])
            #expect(try acquire(2, next, second) == .ledger(after), "\(tick) at \(second)")
        }
        guard case .granted = try acquire(2, LedgerClaim(expected: after.entry?.key, tick: 1002, info: [2]), 1001)
        else {
            throw Failure()
        }
    }

    private struct Failure: Error {}
}
