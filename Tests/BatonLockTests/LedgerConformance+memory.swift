// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// What nodes remember when the store does not.
extension LedgerConformance {
    @Test(arguments: StoreBackend.all)
    func aLedgerThatIsBehindIsRaisedToWhatIsKnown(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run))
            let before = try #require(try await store.ledger().entry)
            let claim = LedgerClaim(after: try await store.ledger(), tick: run.tick + 1, floor: run.tick + 5)
            let raised = try #require(try await store.acquire(.claiming("b", claim)).ledger?.entry)
            // What is known of the last run stays; of it there is no other attempt.
            #expect(raised == before.with(\.tick, run.tick + 5).with(\.attempt, 0))
            let again = LedgerClaim(after: LedgerView(entry: raised), tick: raised.tick)
            #expect(try await store.acquire(.claiming("b", again)).ledger?.entry == raised)
            #expect(try await store.settleTicks(floor: run.tick + 7).entry?.tick == run.tick + 7)
            // Who knows less than the ledger changes nothing.
            #expect(try await store.settleTicks(floor: run.tick).entry?.tick == run.tick + 7)
            _ = try await subject.claim("b", LedgerClaim(after: try await store.ledger(), tick: run.tick + 8))
        }
    }

    /// An older copy of the data came back; each node leaves what it remembers while all of them wait.
    @Test(arguments: StoreBackend.all)
    func inTheWaitEachNodeLeavesWhatItRemembers(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.release("a"))
            try await subject.restart()
            let claim = LedgerClaim(after: try await store.ledger(), tick: run.tick + 1, floor: run.tick + 4)
            #expect(try await store.acquire(.claiming("b", claim)).isUnsettled)
            #expect(try await store.acquire(.claiming("c", claim.with(\.floor, run.tick + 2))).isUnsettled)
            // Nothing else is changed, nor settled, before the wait is over.
            #expect(try await store.ledger().entry == run)
            let view = LedgerView(entry: run)
            #expect(try await store.settleTicks(floor: run.tick + 6, after: view, upTo: run.tick + 50).entry == run)
            let nonce = try await store.nonce()
            let reply = try await store.acquire(.claiming("b", claim, nonce: nonce))
            #expect(reply.ledger?.entry?.key == run.with(\.tick, run.tick + 6).with(\.attempt, 0).key)
        }
    }

    /// The copy has an earlier attempt at the tick, and an operator's wish that was granted since.
    @Test(arguments: StoreBackend.all)
    func aLargerFenceShowsThatALedgerIsAnOlderCopy(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run, "failed"))
            _ = try await store.ask("first")
            let view = try await store.ledger()
            let retry = LedgerClaim(after: view, tick: run.tick, attempt: 2)
            // Who made the second attempt says so.
            try await subject.restart()
            let informed = AcquireRequest.claiming("b", retry).with(\.fence, .init(floor: run.fence + 60_000_000))
            #expect(try await store.acquire(informed).isUnsettled)
            #expect(try await store.ledger() == view)
            let nonce = try await store.nonce()
            let reply = try await store.acquire(.claiming("c", retry, nonce: nonce))
            #expect(reply.ledger == LedgerView(entry: view.entry?.with(\.attempt, 0)))
            // What is asked for from now on is another matter.
            let grant = try await store.acquire(
                .claiming("c", LedgerClaim(after: try await store.ledger(), tick: run.tick + 1))
            ).grant
            #expect(grant?.fence == run.fence + 60_000_001)
            #expect(try await store.end("c", try #require(try await store.ledger().entry), "failed"))
            let asked = try await store.ask("second")
            let wished = LedgerClaim(after: try await store.ledger(), tick: run.tick + 1, manual: asked.id)
            _ = try await subject.claim("d", wished)
        }
    }

    @Test(arguments: StoreBackend.all)
    func whoHasNothingToClaimLeavesItsFenceToo(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run, "failed"))
            let request = SettleRequest(
                keys: .report, guarding: .init(maxLockTimeout: maxLockTimeout), fence: run.fence + 60_000_000)
            try await subject.restart()
            #expect(try await store.settle(request, timeout: patience).reply.entry?.attempt == 1)
            #expect(try await store.look().fence == run.fence + 60_000_000)
            // In a store that knows its past it is the same at once.
            let nonce = try await store.nonce()
            let retry = LedgerClaim(after: try await store.ledger(), tick: run.tick, attempt: 2)
            #expect(try await store.acquire(.claiming("b", retry, nonce: nonce)).ledger?.entry?.attempt == 0)
            let next = try await subject.claim("b", LedgerClaim(after: try await store.ledger(), tick: run.tick + 1))
            var more = request
            more.fence = next.fence
            #expect(try await store.settle(more, timeout: patience).reply.entry == next)
            more.fence += 1
            #expect(try await store.settle(more, timeout: patience).reply.entry == next.with(\.attempt, 0))
            #expect(try await store.look().fence == next.fence + 1)
        }
    }

    /// Not even when it is as it was seen: between the two somebody else may have opened it, and claimed.
    @Test(arguments: StoreBackend.all)
    func nothingIsClaimedByTheRequestThatOpensALedger(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let view = try await store.settleTicks()
            try await subject.deleteLedger(.report)
            let claim = LedgerClaim(after: view, tick: try #require(view.entry).tick + 1)
            #expect(try await store.acquire(.claiming("a", claim)).ledger?.entry?.attempt == 0)
            #expect(try await store.look().token == nil)
        }
    }

    /// What one node remembers is a floor and no position: ticks after it may have been run by nodes that are gone.
    @Test(arguments: StoreBackend.all)
    func anEmptyLedgerIsSettledUpToNowWhateverAnybodyRemembers(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run))
            try await subject.forgetEverything()
            let now = try store.second()
            let claim = LedgerClaim(after: LedgerView(), tick: run.tick + 2, floor: run.tick - 10)
            #expect(try await store.acquire(.claiming("b", claim)).isUnsettled)
            #expect(try await store.settleTicks(floor: run.tick) == LedgerView())
            let nonce = try await store.nonce()
            let opened = try #require(try await store.acquire(.claiming("b", claim, nonce: nonce)).ledger?.entry)
            #expect(opened.tick >= now)
            // But not only up to now, if somebody knows more.
            try await subject.forgetEverything()
            #expect(try await store.acquire(.claiming("b", claim.with(\.floor, now + 1000))).isUnsettled)
            let second = try await store.nonce()
            #expect(
                try await store.acquire(.claiming("c", claim, nonce: second)).ledger?.entry?.tick == now + 1000)
        }
    }

    @Test(arguments: StoreBackend.all)
    func theHolderBringsItsRunBack(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            var renewal = try RenewRequest.daemon("a", notAfter: store.serverTime(in: 15), fence: run.fence)
            renewal.ledger = run
            // In the middle of a tick the store forgets everything; others leave what they remember of it.
            try await subject.forgetEverything()
            let claim = LedgerClaim(after: LedgerView(entry: run), tick: run.tick + 1, floor: run.tick)
            #expect(try await store.acquire(.claiming("b", claim)).isUnsettled)
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            #expect(try await store.ledger().entry == run)
            let nonce = try await store.nonce()
            #expect(try await store.acquire(.claiming("b", claim, nonce: nonce)).heldBy != nil)
            #expect(try await store.end("a", run))
            // What came after the run was claimed is known to be open.
            #expect(try await store.ledger().entry?.key == run.with(\.outcome, bytes("ok")).key)
            // An entry that was settled up to the same tick, by somebody who did not know of the run.
            let again = try await subject.claim("c", LedgerClaim(after: try await store.ledger(), tick: run.tick + 1))
            try await subject.deleteLedger(.report)
            #expect(try await store.settleTicks(floor: run.tick + 1).entry?.fence == 0)
            try await subject.movePosition(.report, again.tick)
            renewal.token = bytes("c")
            renewal.ledger = again.with(\.outcome, bytes("not by a renewal"))
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            #expect(try await store.ledger().entry == again)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRenewalTakesNothingBack(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            func renews(_ ledger: LedgerEntry, as token: String = "a") async throws -> RenewReply {
                var renewal = RenewRequest.daemon(token, notAfter: nil, fence: run.fence)
                renewal.ledger = ledger
                return try await store.renew(renewal)
            }
            // Whose lock it is not teaches nothing.
            #expect(try await renews(run.with(\.tick, run.tick + 5), as: "b") == .lost)
            #expect(try await store.ledger().entry == run)
            #expect(try await renews(run.with(\.tick, run.tick - 5)) == .renewed(timeToLive: leaseLength))
            #expect(try await renews(run.with(\.fence, run.fence - 5)) == .renewed(timeToLive: leaseLength))
            let crossed = run.with(\.tick, run.tick - 5).with(\.fence, run.fence + 5)
            #expect(try await renews(crossed) == .renewed(timeToLive: leaseLength))
            #expect(try await store.ledger().entry == run)
            // Settled further, with the run still known.
            let view = try await store.settleTicks(after: LedgerView(entry: run), upTo: run.tick + 3, "skipped")
            #expect(view.entry == run.with(\.tick, run.tick + 3).with(\.attempt, 0))
            #expect(try await renews(run) == .renewed(timeToLive: leaseLength))
            #expect(try await store.ledger() == view)
            // An outcome is never overwritten.
            #expect(try await store.end("before", run, "failed") == false)
            #expect(try await renews(run.with(\.outcome, bytes("other"))) == .renewed(timeToLive: leaseLength))
            #expect(try await store.ledger().entry?.outcome == bytes("failed"))
        }
    }

    @Test(arguments: StoreBackend.all)
    func ticksThatAreNotToRunAreSettled(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run, line: "ran"))
            let view = try await store.ledger()
            let settled = try await store.settleTicks(after: view, upTo: run.tick + 3, "missed 1", "missed 2")
            #expect(settled.entry == view.entry?.with(\.tick, run.tick + 3).with(\.attempt, 0))
            #expect(try await store.history() == ["missed 2", "missed 1", "ran"])
            // Its answer was lost; or another one decided the same.
            #expect(try await store.settleTicks(after: view, upTo: run.tick + 3, "missed 1", "missed 2") == settled)
            #expect(try await store.settleTicks(after: settled, upTo: run.tick + 3, "again") == settled)
            #expect(try await store.settleTicks(after: settled, upTo: run.tick, "back") == settled)
            #expect(try await store.settleTicks(after: LedgerView(), upTo: run.tick + 9, "unseen") == settled)
            #expect(try await store.history().count == 3)
            // A tick that somebody settled meanwhile is claimed by nobody.
            let late = LedgerClaim(after: view, tick: run.tick + 1)
            #expect(try await store.acquire(.claiming("b", late)) == .ledger(settled))
            let stale = LedgerClaim(after: settled, tick: run.tick + 2)
            #expect(try await store.acquire(.claiming("b", stale)) == .ledger(settled))
        }
    }
}
