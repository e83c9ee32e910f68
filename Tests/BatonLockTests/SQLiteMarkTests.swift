// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonSystem
import Testing

@Suite struct SQLiteMarkTests {
    @Test func aMarkKeepsTheLockFromBeingGranted() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        let down = Mark(kind: .heldDown, by: "web-1")
        try await store.setMark(down, on: sqliteKeys, timeout: .seconds(5))
        #expect(try await store.acquire(.guarded("a")) == .marked(down))
        #expect(try await store.lookAround().mark == down)
        var heedless = AcquireRequest.guarded("a")
        heedless.heedsMarks = false
        #expect(try await store.acquire(heedless).isGranted)
        // A lost reply's repetition is still a yes; everyone else learns of the mark first.
        #expect(try await store.acquire(.guarded("a")).isGranted)
        #expect(try await store.acquire(.guarded("b")) == .marked(down))
        // What the operator said stays in force, whatever the run that ended would set.
        #expect(try await store.giveBack("a", mark: Mark(kind: .finished)))
        #expect(try await store.lookAround().mark == down)
        try await store.setMark(nil, on: sqliteKeys, timeout: .seconds(5))
        #expect(try await store.acquire(.guarded("b")).isGranted)
    }

    @Test func coolingDownEndsByItselfAndRemembersTheFailures() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        _ = try await store.acquire(.guarded("a"))
        let cooling = Mark(kind: .coolingDown, remaining: .seconds(10), failures: 3, by: "web-1")
        #expect(try await store.giveBack("a", mark: cooling))
        bench.advance(.seconds(4))
        let left = Mark(kind: .coolingDown, remaining: .seconds(6), failures: 3, by: "web-1")
        #expect(try await store.acquire(.guarded("b")) == .marked(left))
        bench.advance(.seconds(6))
        #expect(try await store.lookAround().mark == nil)
        guard case .granted(let grant) = try await store.acquire(.guarded("b")) else {
            Issue.record("a mark whose time was over kept the lock")
            return
        }
        #expect(grant.failures == 3)
        #expect(try await store.acquire(.guarded("b")) == .granted(grant))
        #expect(try await store.giveBack("b"))
        guard case .granted(let next) = try await store.acquire(.guarded("c")) else {
            Issue.record("a released lock was not granted")
            return
        }
        #expect(next.failures == 0)
    }

    @Test func aReleaseThatIsNotOursSetsNoMark() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        _ = try await store.acquire(.guarded("a"))
        #expect(try await store.giveBack("b", mark: Mark(kind: .finished)) == false)
        #expect(try await store.lookAround().mark == nil)
        // Ours although it ran out: nobody was granted it since.
        bench.advance(.seconds(20))
        #expect(try await store.giveBack("a", mark: Mark(kind: .finished)))
        #expect(try await store.lookAround().mark?.kind == .finished)
    }

    @Test func afterARebootLeasesAndCoolingAreOverAndTheRestStands() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        try await before.settleNow()
        let first = try #require(try await before.acquire(.guarded("a")).fence)
        let other = LockKeys(prefix: "baton", job: "other")
        try await before.setMark(
            Mark(kind: .coolingDown, remaining: .seconds(1_000_000), failures: 2), on: other, timeout: .seconds(5))
        let third = LockKeys(prefix: "baton", job: "third")
        try await before.setMark(Mark(kind: .heldDown), on: third, timeout: .seconds(5))
        await before.close()

        let after = bench.store(boot: "boot-2")
        #expect(try await after.lookAround().token == nil)
        #expect(try await after.renew(.guarded("a")) == .lost)
        let second = try #require(try await after.acquire(.guarded("b")).fence)
        #expect(second > first)
        guard case .granted(let grant) = try await after.acquire(.guarded("c", keys: other)) else {
            Issue.record("a cooling mark outlived the boot")
            return
        }
        #expect(grant.failures == 2)
        #expect(try await after.acquire(.guarded("d", keys: third)) == .marked(Mark(kind: .heldDown)))
    }

    @Test func aPauseOutlivesTheBootByTheWallClock() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        try await before.settleNow()
        let pause = Mark(kind: .paused, remaining: .seconds(7200), failures: 1, by: "web-1")
        try await before.setMark(pause, on: sqliteKeys, timeout: .seconds(5))
        // Within a boot the wall clock does not matter.
        bench.setWall(bench.wallMicroseconds + 9_000_000_000)
        #expect(try await before.lookAround().mark == pause)
        await before.close()

        bench.setWall(bench.wallMicroseconds - 5_400_000_000)
        let after = bench.store(boot: "boot-2")
        var left = pause
        left.remaining = .seconds(3600)
        #expect(try await after.acquire(.guarded("a")) == .marked(left))
        bench.setWall(bench.wallMicroseconds + 3_600_000_000)
        #expect(try await after.lookAround().mark == nil)
        #expect(try await after.acquire(.guarded("a")).isGranted)
    }

    @Test func withoutABootIDNothingIsGranted() async throws {
        let bench = SQLiteBench()
        let store = bench.store(boot: nil)
        let error = await #expect(throws: LockError.self) { _ = try await store.acquire(.library("a")) }
        #expect(error?.code == .refused)
    }
}
