// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

@testable import BatonTestSupport

/// Rule S8, as every store keeps it: claims.
@Suite(.timeLimit(.minutes(4)))
struct LedgerConformance {
    // MARK: An empty ledger

    @Test(arguments: StoreBackend.all)
    func anEmptyLedgerIsSettledUpToNow(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.ledger() == LedgerView())
            let now = try store.second()
            let claim = LedgerClaim(after: LedgerView(), tick: now, lines: ["missed"])
            let view = try #require(try await store.acquire(.claiming("a", claim)).ledger)
            let entry = try #require(view.entry)
            #expect(now...now + 60 ~= entry.tick)
            #expect(entry == LedgerEntry(tick: entry.tick, attempt: 0, fence: 0, changed: entry.changed))
            #expect(entry.changed / 1_000_000 == entry.tick)
            // Nothing was granted, and nothing was done.
            #expect(try await store.look().token == nil)
            #expect(try await store.look().fence == 0)
            #expect(try await store.history() == [])
            #expect(try await store.ledger() == view)
            #expect(try await store.settleTicks() == view)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLedgerIsOpenedWithoutTheLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let now = try store.second()
            // A tick can't be settled by the request that opens the ledger: nobody has seen it.
            let opened = try #require(try await store.settleTicks(upTo: now + 1, "skipped").entry)
            #expect(now...now + 60 ~= opened.tick && opened.attempt == 0)
            #expect(try await store.history() == [])
            // Of what is known beforehand it is not behind.
            try await subject.deleteLedger(.report)
            let ahead = try #require(try await store.settleTicks(floor: now + 1000).entry)
            #expect(ahead.tick == now + 1000)
        }
    }

    // MARK: A claim and the lock

    @Test(arguments: StoreBackend.all)
    func aTickIsClaimedWithTheLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let tick = try #require(view.entry).tick
            let lines = ["missed 1", "missed 2"]
            let claim = LedgerClaim(after: view, tick: tick + 3, info: "a, run 1", lines: lines)
            let run = try await subject.claim("a", claim)
            #expect(run.tick == tick + 3 && run.attempt == 1 && run.outcome == nil && run.manual == nil)
            #expect(try await store.look().fence == run.fence)
            #expect(try await store.history() == ["missed 2", "missed 1"])
            // Whoever holds the lock comes first, and the ledger stays as it is.
            let next = LedgerClaim(after: try await store.ledger(), tick: tick + 4, floor: tick + 50)
            #expect(try await store.acquire(.claiming("b", next)).heldBy != nil)
            let past = try store.serverTime(in: -1)
            #expect(try await store.acquire(.claiming("b", next).with(\.notAfter, past)) == .late)
            try await store.setMark(Mark(kind: .finished), on: .report, timeout: patience)
            #expect(try await store.acquire(.claiming("b", next)).mark != nil)
            #expect(try await store.ledger().entry == run)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aVanishedHolderComesBeforeTheLedger(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            try await subject.deleteLock(.report)
            let next = LedgerClaim(after: try await store.ledger(), tick: run.tick + 1)
            let seen = try #require(try await store.acquire(.claiming("b", next)).orphanOf?.owner)
            #expect(try await store.ledger().entry == run)
            // Its lease is over: what became of the run, nobody has said.
            let fence = try #require(try await store.acquire(.claiming("b", next, ownerRecord: seen)).grant?.fence)
            #expect(try await store.ledger().entry?.fence == fence)
        }
    }

    /// Nor does a lock that is there, but whose lease was seen to end, go past the ledger.
    @Test(arguments: StoreBackend.all)
    func aLeaseThatWasSeenToEndComesBeforeTheLedger(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let opened = try await subject.open()
            let tick = try #require(opened.entry).tick
            let run = try await subject.claim("a", LedgerClaim(after: opened, tick: tick + 1))
            let view = try await store.ledger()
            let next = LedgerClaim(after: view, tick: tick + 2, lines: ["lost"])
            let seen = try #require(try await store.acquire(.claiming("b", next)).heldBy?.owner)
            // A file's locks run out by the clock that holders count on: one that is there is held.
            if store is SQLiteStore {
                #expect(try await store.acquire(.claiming("b", next, ownerRecord: seen)).heldBy != nil)
                return
            }
            // Decided on before the run was claimed.
            let stale = LedgerClaim(after: opened, tick: tick + 1, lines: ["stale"])
            #expect(try await store.acquire(.claiming("b", stale, ownerRecord: seen)) == .ledger(view))
            #expect(try await store.look().token == bytes("a"))
            let grant = try #require(try await store.acquire(.claiming("b", next, ownerRecord: seen)).grant)
            let entry = try #require(try await store.ledger().entry)
            #expect(entry == next.entry(fence: grant.fence ?? 0, at: entry.changed))
            #expect(try await store.history() == ["lost"])
            // What the dead holder's machine says later of its run is a line, and no outcome of this one.
            #expect(try await store.end("a", run, line: "ran late") == false)
            #expect(try await store.ledger().entry == entry)
            #expect(try await store.look().token == bytes("b"))
        }
    }

    @Test(arguments: StoreBackend.all)
    func aMarkThatIsOverOutlivesARefusedClaim(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let over = Mark(kind: .coolingDown, remaining: .zero, failures: 4)
            try await store.setMark(over, on: .report, timeout: patience)
            let tick = try #require(view.entry).tick
            #expect(try await store.acquire(.claiming("a", LedgerClaim(after: view, tick: tick))).ledger == view)
            let grant = try await store.acquire(.claiming("a", LedgerClaim(after: view, tick: tick + 1))).grant
            #expect(grant?.failures == 4)
        }
    }

    // MARK: Replies that were lost

    @Test(arguments: StoreBackend.all)
    func aClaimWhoseReplyWasLostIsGrantedAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let claim = LedgerClaim(after: view, tick: try #require(view.entry).tick + 1, lines: ["missed"])
            let run = try await subject.claim("a", claim)
            #expect(try await store.acquire(.claiming("a", claim)).grant?.fence == run.fence)
            #expect(try await store.ledger().entry == run)
            #expect(try await store.history() == ["missed"])
            // Meanwhile a larger fence became known: there was a run after this one.
            let larger = AcquireRequest.claiming("a", claim).with(\.fence, .init(floor: run.fence + 1))
            #expect(try await store.acquire(larger).ledger?.entry == run.with(\.attempt, 0))
        }
    }

    @Test(arguments: StoreBackend.all)
    func aClaimWhoseReplyWasLostOutlivesItsLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let claim = LedgerClaim(after: view, tick: try #require(view.entry).tick + 1, lines: ["missed"])
            let run = try await subject.claim("a", claim)
            try await subject.deleteLock(.report)
            let fence = try #require(try await store.acquire(.claiming("a", claim)).grant?.fence)
            #expect(fence > run.fence)
            #expect(try await store.ledger().entry == run.with(\.fence, fence))
            #expect(try await store.history() == ["missed"])
        }
    }

    @Test(arguments: StoreBackend.all)
    func aTokenOfOursIsNoYesToAnotherClaim(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let tick = try #require(view.entry).tick
            let run = try await subject.claim("a", LedgerClaim(after: view, tick: tick + 1))
            for claim in [
                LedgerClaim(after: view, tick: tick + 2), LedgerClaim(after: view, tick: tick + 1, attempt: 2),
                LedgerClaim(after: view, tick: tick + 1, info: "another run"),
                LedgerClaim(after: view, tick: tick + 1, manual: 7),
            ] {
                #expect(try await store.acquire(.claiming("a", claim)).ledger?.entry == run, "\(claim)")
            }
            // The lock is still this call's: it has to be given back.
            #expect(try await store.release("a"))
            // Not by its own words, but by another's who claimed the same.
            #expect(
                try await store.acquire(.claiming("b", LedgerClaim(after: view, tick: tick + 1))).ledger?.entry == run)
            // A ledger that forgot knows nothing of what was claimed.
            let next = LedgerClaim(after: try await store.ledger(), tick: tick + 2)
            _ = try await subject.claim("c", next)
            try await subject.deleteLedger(.report)
            let reopened = try #require(try await store.acquire(.claiming("c", next)).ledger?.entry)
            #expect(reopened.attempt == 0 && reopened.tick > tick + 2)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRunThatHasEndedIsNotGrantedAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let claim = LedgerClaim(after: view, tick: try #require(view.entry).tick + 1)
            let run = try await subject.claim("a", claim)
            // Told by a daemon before it, which has the run's fence but another token.
            #expect(try await store.end("before", run) == false)
            #expect(try await store.acquire(.claiming("a", claim)).ledger?.entry?.outcome == bytes("ok"))
        }
    }

    // MARK: What a claim follows

    @Test(arguments: StoreBackend.all)
    func aClaimFollowsWhatWasSeen(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run))
            let view = try await store.ledger()
            let key = try #require(view.entry).key
            let claim = LedgerClaim(after: view, tick: run.tick + 1)
            for other in [
                nil, LedgerEntry.Key(tick: key.tick - 1, attempt: key.attempt, fence: key.fence, hasOutcome: true),
                LedgerEntry.Key(tick: key.tick, attempt: 2, fence: key.fence, hasOutcome: true),
                LedgerEntry.Key(tick: key.tick, attempt: 1, fence: key.fence - 1, hasOutcome: true),
                LedgerEntry.Key(tick: key.tick, attempt: 1, fence: key.fence, hasOutcome: false),
            ] {
                let reply = try await store.acquire(.claiming("b", claim.with(\.expected, other)))
                #expect(reply == .ledger(view), "\(String(describing: other))")
            }
            _ = try await subject.claim("b", claim)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aTickIsClaimedOnceAndAttemptsComeInTurn(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let opened = try await subject.open()
            let tick = try #require(opened.entry).tick
            func isRefused(_ claim: LedgerClaim) async throws {
                let reply = try await store.acquire(.claiming("x", claim))
                #expect(reply.ledger != nil, "\(claim): \(reply)")
            }
            // Of a tick that was only settled, there is no attempt, not even the first.
            for attempt in 1...2 { try await isRefused(LedgerClaim(after: opened, tick: tick, attempt: attempt)) }
            try await isRefused(LedgerClaim(after: opened, tick: tick - 1))
            try await isRefused(LedgerClaim(after: opened, tick: tick + 1, attempt: 2))
            var run = try await subject.claim("a", LedgerClaim(after: opened, tick: tick + 1))
            #expect(try await store.end("a", run, "failed"))
            for attempt in 2...3 {
                let view = try await store.ledger()
                for wrong in [1, attempt - 1, attempt + 1] {
                    try await isRefused(LedgerClaim(after: view, tick: tick + 1, attempt: wrong))
                }
                try await isRefused(LedgerClaim(after: view, tick: tick, attempt: attempt))
                try await isRefused(LedgerClaim(after: view, tick: tick + 1, attempt: attempt, manual: 7))
                let retry = LedgerClaim(after: view, tick: tick + 1, attempt: attempt, info: "try \(attempt)")
                let next = try await subject.claim("\(attempt)", retry)
                #expect(next.fence > run.fence)
                run = next
                // Also of one that was lost: nobody says how it ended.
                if attempt == 2 {
                    #expect(try await store.release("2"))
                } else {
                    #expect(try await store.end("3", run))
                }
            }
            _ = try await subject.claim("b", LedgerClaim(after: try await store.ledger(), tick: tick + 2))
        }
    }

    @Test(arguments: StoreBackend.all)
    func tomorrowsTickIsNotClaimed(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let view = try await subject.open()
            let now = try store.second()
            for ahead in [60, 86_400, LedgerEntry.lastTick - now] {
                let claim = LedgerClaim(after: view, tick: now + ahead)
                #expect(try await store.acquire(.claiming("a", claim)) == .ledger(view), "\(ahead) s")
                #expect(try await store.settleTicks(after: view, upTo: now + ahead) == view)
            }
            // A node's clock may be a second ahead.
            let run = try await subject.claim("a", LedgerClaim(after: view, tick: now + 1))
            #expect(try await store.end("a", run, "failed"))
            // The server's clock was put back. Another attempt is of a tick that was due; the next one is not yet.
            try await subject.movePosition(.report, now + 3600)
            let ahead = try await store.ledger()
            #expect(
                try await store.acquire(.claiming("b", LedgerClaim(after: ahead, tick: now + 3601))) == .ledger(ahead))
            _ = try await subject.claim("b", LedgerClaim(after: ahead, tick: now + 3600, attempt: 2))
        }
    }
}
