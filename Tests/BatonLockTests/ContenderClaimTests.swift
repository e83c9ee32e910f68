// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// A contender that claims a tick with the lock (rule S8).
@Suite(.timeLimit(.minutes(1)))
struct ContenderClaimTests {
    private static let policy = LockPolicy(
        timing: LeaseTiming(timeout: leaseLength, killLatency: .zero, requestTimeout: .seconds(1)), guarding: nil,
        fences: true, heedsMarks: false)

    private func contender(_ store: any LockStore, _ claim: LedgerClaim) -> BatonLock.Contender {
        let client = LockClient(store: store, keys: .report, name: "report", policy: Self.policy)
        return BatonLock.Contender(client, claim: claim, waiter: Waiter(Self.policy))
    }

    private func settle(_ store: any LockStore, after view: LedgerView? = nil, upTo tick: Int64? = nil) async throws
        -> LedgerView
    {
        let request = SettleRequest(keys: .report, guarding: nil, expected: view?.entry?.key, tick: tick)
        return try await store.settle(request, timeout: patience).reply
    }

    @Test func itEndsWithTheLockOrWithWhatTheLedgerSays() async throws {
        let store = FaultyStore(ModelStore())
        let first = contender(store, LedgerClaim(expected: nil, tick: 1, info: bytes("run")))
        #expect(try await first.compete(until: nil) == nil)
        let view = try #require(first.ledger)
        let claim = LedgerClaim(after: view, tick: try #require(view.entry).tick + 1)
        // The answer is lost: asked again with the same token, it is the same claim.
        store.next(.acquire, .replyLost)
        let second = contender(store, claim)
        let grant = try #require(try await second.compete(until: nil))
        #expect(second.ledger == nil)
        #expect(store.acquires.count == 3)
        let entry = try #require(try await store.ledger().entry)
        #expect(entry == claim.entry(fence: grant.fence ?? 0, at: entry.changed))
        let release = ReleaseRequest(keys: .report, token: grant.token, guarding: false)
        #expect(try await store.release(release, timeout: patience))
    }

    /// The lock that the call may hold is given back.
    @Test func aDecisionThatIsOutOfDateLeavesNoLock() async throws {
        let model = ModelStore()
        let store = FaultyStore(model)
        let view = try await settle(store)
        let tick = try #require(view.entry).tick
        let late = contender(store, LedgerClaim(after: view, tick: tick + 1))
        // It is granted, which nobody hears of; before it is asked again, the ledger is settled further.
        store.next(.acquire, .replyLost)
        store.onRequest { operation in
            guard operation == .acquire, store.acquires.count == 2 else { return }
            model.change { $0.movePosition(.report, to: tick + 2) }
        }
        #expect(try await late.compete(until: nil) == nil)
        #expect(late.ledger?.entry?.tick == tick + 2)
        #expect(try await store.look().token == nil)
    }
}
