// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

@testable import BatonTestSupport

/// Ledgers in a file (rule S8): older formats, boots, the wall clock, and what was spoilt.
@Suite(.timeLimit(.minutes(2)))
struct SQLiteLedgerTests {
    /// The second that a bench's wall clock shows.
    private static let now: Int64 = 1_790_000_000

    private func settle(
        _ store: SQLiteStore, after view: LedgerView? = nil, upTo tick: Int64? = nil
    ) async throws -> LedgerView {
        let request = SettleRequest(
            keys: sqliteKeys, guarding: .init(maxLockTimeout: .seconds(30)), expected: view?.entry?.key, tick: tick)
        return try await store.settle(request, timeout: patience).reply
    }

    private func claim(_ view: LedgerView, _ tick: Int64, token: String = "a") -> AcquireRequest {
        var request = AcquireRequest.guarded(token)
        request.claim = LedgerClaim(after: view, tick: tick, lines: ["missed"])
        return request
    }

    @Test func theFormatWithoutLedgersIsBroughtUpToDate() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        try await before.settleNow()
        #expect(try await before.acquire(.guarded("a")).isGranted)
        let node = RegisterRequest(
            keys: NodeKeys(prefix: "baton", name: "web-1"), instance: "a", record: [1], timeToLive: .seconds(15))
        #expect(try await before.register(node, timeout: patience) == .registered)
        await before.close()
        for statement in [
            "DROP TABLE ledger", "DROP TABLE history", "ALTER TABLE mark DROP COLUMN wall_until",
            "PRAGMA user_version = 3",
        ] {
            try await bench.edit(statement)
        }
        let after = bench.store()
        #expect(try await after.renew(.guarded("a")) == .renewed(timeToLive: .seconds(15)))
        #expect(try await after.nodes(prefix: "baton", timeout: patience).map(\.name) == ["web-1"])
        #expect(try await after.giveBack("a"))
        let view = try await settle(after)
        #expect(view.entry?.tick == Self.now)
        #expect(try await after.acquire(claim(view, Self.now + 1)).isGranted)
        #expect(try await after.history(of: sqliteKeys, limit: 5, timeout: patience) == [bytes("missed")])
    }

    @Test func aLedgerOutlivesBootsAndProcesses() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        try await before.settleNow()
        let opened = try await settle(before)
        let fence = try #require(try await before.acquire(claim(opened, Self.now + 1)).fence)
        let asked = try await before.ask(AskRequest(keys: sqliteKeys, by: "ops", call: [1]), timeout: patience).reply
        await before.close()
        let after = bench.store(boot: "boot-2")
        let view = try #require(try await after.look(at: sqliteKeys, withLedger: true, timeout: patience).ledger)
        #expect(view.entry?.key == LedgerEntry.Key(tick: Self.now + 1, attempt: 1, fence: fence, hasOutcome: false))
        #expect(view.asked == asked)
        // The machine went down in the middle of the run, whose daemon remembers how it was claimed.
        let run = try #require(view.entry)
        let release = ReleaseRequest(
            keys: sqliteKeys, token: bytes("a"), guarding: true,
            outcome: RunRecord(run: run, outcome: bytes("lost"), line: nil))
        #expect(try await after.release(release, timeout: patience) == false)
        let ended = try #require(try await after.look(at: sqliteKeys, withLedger: true, timeout: patience).ledger)
        #expect(ended.entry?.outcome == bytes("lost"))
    }

    /// Ticks are due by the wall clock, leases end by the machine's own.
    @Test func aWallClockThatIsPutBackHoldsClaimsBack() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        let opened = try await settle(store)
        #expect(store.tickTime() == Self.now * 1_000_000)
        #expect(try await store.acquire(claim(opened, Self.now + 1)).isGranted)
        #expect(try await store.giveBack("a"))
        bench.setWall((Self.now - 3600) * 1_000_000)
        let view = try #require(try await store.look(at: sqliteKeys, withLedger: true, timeout: patience).ledger)
        #expect(try await store.acquire(claim(view, Self.now - 3600)).ledger == view)
        #expect(try await store.acquire(claim(view, Self.now + 2)).ledger == view)
        #expect(try await settle(store, after: view, upTo: Self.now + 2) == view)
        bench.setWall((Self.now + 1) * 1_000_000)
        #expect(try await store.acquire(claim(view, Self.now + 2)).isGranted)
    }

    @Test(arguments: [
        "tick = 'x'", "tick = -1", "tick = 253402300800", "tick = NULL", "tick = 1.5", "attempt = -1",
        "attempt = 1000001", "attempt = x'00'", "manual = 'x'", "manual = -1", "fence = -1", "fence = 9007199254740992",
        "fence = 'x'", "changed = -1", "changed = NULL", "outcome = x''", "outcome = zeroblob(65)",
        "info = zeroblob(1025)", "info = NULL",
    ])
    func aSpoiltLedgerIsAnEmptyOne(damage: String) async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        _ = try await settle(store)
        try await bench.edit("UPDATE ledger SET tick = \(Self.now - 100), attempt = 1, fence = 7")
        let view = try #require(try await store.look(at: sqliteKeys, withLedger: true, timeout: patience).ledger)
        #expect(view.entry?.tick == Self.now - 100)
        try await bench.edit("UPDATE ledger SET \(damage)")
        let spoilt = try await store.look(at: sqliteKeys, withLedger: true, timeout: patience).ledger
        #expect(spoilt == LedgerView())
        #expect(try await store.acquire(claim(view, Self.now - 99)).ledger?.entry?.tick == Self.now)
        #expect(try await store.lookAround().token == nil)
    }

    @Test(arguments: ["asked = 'x'", "asker = NULL", "call = NULL", "pending = 'x'", "floor = 'x'", "floor = -5"])
    func aSpoiltWishIsNone(damage: String) async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        let opened = try await settle(store)
        let asked = try await store.ask(AskRequest(keys: sqliteKeys, by: "ops", call: [1]), timeout: patience).reply
        try await bench.edit("UPDATE ledger SET \(damage)")
        let view = try await settle(store)
        #expect(view == LedgerView(entry: opened.entry, asked: damage.hasPrefix("floor") ? asked : nil))
    }
}
