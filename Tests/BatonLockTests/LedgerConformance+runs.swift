// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// Outcomes, the history, and requests that can never work.
extension LedgerConformance {
    // MARK: Outcomes

    @Test(arguments: StoreBackend.all)
    func anOutcomeComesWithTheRelease(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            #expect(try await store.end("a", run, line: "ran"))
            let ended = try #require(try await store.ledger().entry)
            #expect(ended == run.with(\.outcome, bytes("ok")).with(\.changed, ended.changed))
            #expect(ended.changed > run.changed)
            #expect(try await store.look().token == nil)
            // The answer was lost.
            #expect(try await store.end("a", run, "failed", line: "failed") == false)
            #expect(try await store.ledger().entry == ended)
            #expect(try await store.history() == ["ran"])
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLateOutcomeCountsAsLongAsTheRunIsTheLast(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            // The lock was lost, and another one has it.
            #expect(try await store.release("a"))
            #expect(try await store.acquire(.daemon("b")).grant != nil)
            #expect(try await store.end("a", run, line: "ran") == false)
            #expect(try await store.look().token == bytes("b"))
            #expect(try await store.ledger().entry?.outcome == bytes("ok"))
            #expect(try await store.history() == ["ran"])
            // Who saw the run without an outcome is told of it, and does not try again.
            #expect(try await store.release("b"))
            let retry = LedgerClaim(after: LedgerView(entry: run), tick: run.tick, attempt: 2)
            #expect(try await store.acquire(.claiming("c", retry)).ledger?.entry?.outcome == bytes("ok"))
        }
    }

    @Test(arguments: StoreBackend.all)
    func anOutcomeThatComesTooLateIsALineOnce(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let lost = try await subject.run()
            #expect(try await store.release("a"))
            let retry = LedgerClaim(after: LedgerView(entry: lost), tick: lost.tick, attempt: 2, info: "second")
            let second = try await subject.claim("b", retry)
            for _ in 0..<3 { #expect(try await store.end("a", lost, line: "ran late") == false) }
            #expect(try await store.ledger().entry == second)
            #expect(try await store.end("b", second, "failed", line: "failed"))
            #expect(try await store.end("a", lost, line: "ran late") == false)
            #expect(try await store.history() == ["failed", "ran late"])
        }
    }

    @Test(arguments: StoreBackend.all)
    func anOutcomeIsKnownByTheFenceAcrossAnAdoption(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run("old")
            var adoption = try RenewRequest.daemon("old", notAfter: store.serverTime(in: 10), fence: run.fence)
            adoption.successor = .init(token: bytes("new"), holder: bytes("adopted"))
            adoption.ledger = run
            #expect(try await store.renew(adoption) == .renewed(timeToLive: leaseLength))
            #expect(try await store.ledger().entry == run)
            #expect(try await store.end("new", run))
            #expect(try await store.ledger().entry?.outcome == bytes("ok"))
        }
    }

    @Test(arguments: StoreBackend.all)
    func anOutcomeReachesAStoreThatForgot(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run()
            // Seen from a later run, this is an older copy, in which its tick is open.
            let older = try await store.ledger()
            let later = run.with(\.tick, run.tick + 5).with(\.fence, run.fence + 5).with(\.info, bytes("later"))
            #expect(try await store.end("a", later, "failed", line: "failed"))
            let entry = try #require(try await store.ledger().entry)
            #expect(entry == later.with(\.outcome, bytes("failed")).with(\.changed, entry.changed))
            let claim = LedgerClaim(after: older, tick: later.tick)
            #expect(try await store.acquire(.claiming("b", claim)).ledger?.entry == entry)
            // Nothing is left: it is known that this tick was run, and not what came after it.
            try await subject.deleteLedger(.report)
            let ahead = run.with(\.tick, try store.second() + 1000)
            for _ in 0..<2 { #expect(try await store.end("a", ahead, line: "ran") == false) }
            #expect(try await store.ledger() == LedgerView())
            #expect(try await store.history() == ["ran", "failed"])
            let reopened = try #require(try await store.settleTicks().entry)
            #expect(reopened.tick == ahead.tick && reopened.attempt == 0 && reopened.fence == 0)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRunThatNeverBeganIsSaidToBeSo(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let run = try await subject.run(info: "never")
            // The reply never came: its fence is not known, nor whether the claim was made.
            let unknown = run.with(\.fence, 0)
            for other in [unknown.with(\.info, bytes("other")), unknown.with(\.attempt, 2)] {
                #expect(try await store.end("x", other, "withdrawn", line: "withdrawn") == false)
            }
            #expect(try await store.ledger().entry == run)
            #expect(try await store.end("a", unknown, "withdrawn", line: "withdrawn"))
            #expect(try await store.ledger().entry?.key == run.with(\.outcome, bytes("withdrawn")).key)
            #expect(try await store.end("a", unknown, "other", line: "other") == false)
            try await subject.deleteLedger(.report)
            #expect(try await store.end("a", unknown, "other", line: "other") == false)
            #expect(try await store.history() == ["withdrawn"])
        }
    }

    // MARK: The history

    @Test(arguments: StoreBackend.all)
    func aHistoryHasAHundredLines(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            #expect(try await store.history() == [])
            var view = try await subject.open()
            let first = try #require(view.entry).tick
            let long = String(repeating: "é", count: LedgerClaim.longestLine / 2)
            for step in 1...14 as ClosedRange<Int64> {
                let lines = (1...8).map { $0 == 8 && step == 14 ? long : "\(step) \($0)" }
                let request = SettleRequest(
                    keys: .report, guarding: nil, expected: view.entry?.key, tick: first + step,
                    lines: lines.map { bytes($0) })
                view = try await store.settle(request, timeout: patience).reply
                #expect(view.entry?.tick == first + step)
            }
            let lines = try await store.history()
            #expect(lines.count == 100)
            #expect(lines.first == long && lines.dropFirst().first == "14 7" && lines.last == "2 5")
            #expect(try await store.history(3) == Array(lines.prefix(3)))
            for none in [0, -1] { #expect(try await store.history(none) == []) }
            let other = try await store.history(of: LockKeys(prefix: "test", job: "other"), limit: 5, timeout: patience)
            #expect(other == [])
        }
    }

    // MARK: What can never work

    @Test(arguments: StoreBackend.all)
    func whatCanBeNoClaimIsRefusedBeforeAnythingIsDone(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let good = LedgerClaim(expected: nil, tick: 1, info: bytes("run"))
            let tooMany = [Bytes](repeating: [1], count: 9)
            let tooLong = Bytes(repeating: 1, count: 4097)
            for claim in [
                good.with(\.tick, -1), good.with(\.tick, LedgerEntry.lastTick + 1), good.with(\.attempt, 0),
                good.with(\.attempt, LedgerEntry.mostAttempts + 1), good.with(\.manual, -1),
                good.with(\.manual, 1 << 53), good.with(\.floor, -1), good.with(\.floor, LedgerEntry.lastTick + 1),
                good.with(\.info, Bytes(repeating: 1, count: 1025)), good.with(\.lines, tooMany),
                good.with(\.lines, [tooLong]),
            ] {
                let request = AcquireRequest.claiming("a", claim)
                #expect(await code { try await store.acquire(request) } == .invalidArgument, "\(claim)")
            }
            for request in [
                AcquireRequest.claiming("a", good).with(\.fence, nil),
                AcquireRequest.claiming("a", good).with(\.tokenIsFresh, false),
            ] {
                #expect(await code { try await store.acquire(request) } == .invalidArgument)
            }
            let run = good.entry(fence: 5, at: 5)
            for bad in [run.with(\.fence, -1), run.with(\.tick, -1), run.with(\.info, tooLong)] {
                #expect(await code { try await store.end("a", bad) } == .invalidArgument, "\(bad)")
                let renewal = RenewRequest.daemon("a", notAfter: nil).with(\.ledger, bad)
                #expect(await code { try await store.renew(renewal) } == .invalidArgument, "\(bad)")
            }
            for outcome in ["", String(repeating: "x", count: 65)] {
                #expect(await code { try await store.end("a", run, outcome) } == .invalidArgument)
            }
            for tick in [-1, LedgerEntry.lastTick + 1] {
                #expect(await code { try await store.settleTicks(floor: tick) } == .invalidArgument)
                #expect(await code { try await store.settleTicks(upTo: tick) } == .invalidArgument)
            }
            #expect(await code { try await store.ask("") } == .invalidArgument)
            #expect(
                await code { try await store.ask("a", by: String(repeating: "x", count: 1025)) } == .invalidArgument)
            let view = try await store.ledger()
            #expect(view == LedgerView())
        }
    }
}
