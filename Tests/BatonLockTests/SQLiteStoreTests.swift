// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

@Suite struct SQLiteStoreTests {
    @Test func firstUseWaitsOnceAndThenGrants() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        guard case .unsettled(let nonce, let wait) = try await store.acquire(.guarded("a")) else {
            Issue.record("a new file granted a lock")
            return
        }
        #expect(nonce.count == 16)
        #expect(wait == .seconds(30))
        #expect(try await store.acquire(.guarded("b")) == .unsettled(nonce: nonce, wait: .seconds(30)))
        #expect(
            try await store.acquire(.guarded("b", nonce: Bytes(repeating: 0, count: 16)))
                == .unsettled(nonce: nonce, wait: .seconds(30)))
        #expect(try await store.acquire(.guarded("a", nonce: nonce)).isGranted)
        #expect(store.state == .connected)
        // Another job of the same prefix waits for nothing.
        let other = LockKeys(prefix: "baton", job: "other")
        #expect(try await store.acquire(.guarded("c", keys: other)).isGranted)
    }

    @Test func aHeldLockIsHeldUntilItRunsOut() async throws {
        let bench = SQLiteBench()
        let (one, two) = (bench.store(), bench.store())
        try await one.settleNow()
        let first = try #require(try await one.acquire(.guarded("a")).fence)
        bench.advance(.seconds(5))
        let seen = try #require(try await two.acquire(.guarded("b")).sighting)
        #expect(seen.timeToLive == .seconds(10))
        #expect(seen.timeout == .seconds(15))
        #expect(seen.fence == first)
        #expect(seen.owner != nil)
        #expect(try await one.renew(.guarded("a")) == .renewed(timeToLive: .seconds(15)))
        let later = try #require(try await two.acquire(.guarded("b")).sighting)
        #expect(later.timeToLive == .seconds(15))
        #expect(later.owner != seen.owner)
        bench.advance(.seconds(15) - .microseconds(1))
        #expect(try await two.acquire(.guarded("b")).sighting != nil)
        bench.advance(.microseconds(1))
        let second = try #require(try await two.acquire(.guarded("b")).fence)
        #expect(second > first)
        #expect(try await one.renew(.guarded("a")) == .lost)
        #expect(try await one.giveBack("a") == false)
    }

    @Test func anOwnFreshTokenIsAYesWithAFullLease() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        #expect(try await store.acquire(.library("a")) == .granted(.init(fence: nil)))
        bench.advance(.seconds(10))
        #expect(try await store.acquire(.library("a")).isGranted)
        #expect(try await store.lookAround().timeToLive == .seconds(15))
        #expect(try await store.acquire(.library("a", fresh: false)).sighting?.timeToLive == .seconds(15))
    }

    @Test func aLateRequestIsVoid() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        var request = AcquireRequest.library("a")
        request.notAfter = bench.microseconds - 1
        #expect(try await store.acquire(request) == .late)
        request.notAfter = bench.microseconds
        #expect(try await store.acquire(request).isGranted)
        #expect(store.serverTime() == bench.microseconds)
    }

    @Test func tokensAndNamesAreBytes() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        let keys = LockKeys(name: [0xFF, 0x00, 0x27, 0x3B])
        let token: Bytes = [0x00, 0xC3, 0x28, 0x22]
        let request = AcquireRequest(keys: keys, token: token, tokenIsFresh: true, timeout: nil)
        #expect(try await store.acquire(request).isGranted)
        let view = try await store.look(at: keys, timeout: .seconds(5))
        #expect(view.token == token)
        #expect(view.timeToLive == nil)
        bench.advance(.seconds(1_000_000))
        #expect(try await store.look(at: keys, timeout: .seconds(5)).token == token)
        await #expect(throws: LockError(.invalidArgument, lock: "report", "a token must have at least one byte")) {
            var empty = AcquireRequest.library("")
            empty.keys = LockKeys(name: Bytes("report".utf8))
            _ = try await store.acquire(empty)
        }
    }

    @Test func extendingAddsAndNeverBelowNothing() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        _ = try await store.acquire(.library("a"))
        let more = RenewRequest(keys: sqliteKeys, token: Bytes("a".utf8), change: .add(.seconds(5)))
        #expect(try await store.renew(more) == .renewed(timeToLive: .seconds(20)))
        let less = RenewRequest(keys: sqliteKeys, token: Bytes("a".utf8), change: .add(.seconds(-20)))
        await #expect(throws: LockError(.refused, lock: "{baton}:report:lock", "nothing would be left of the lease")) {
            _ = try await store.renew(less)
        }
        #expect(try await store.lookAround().timeToLive == .seconds(20))
        #expect(try await store.giveBack("a", guarding: false))
        _ = try await store.acquire(.library("a", timeout: nil))
        #expect(try await store.renew(more) == .lost)
        let huge = RenewRequest(
            keys: sqliteKeys, token: Bytes("a".utf8), change: .reset(.seconds(Int64.max)))
        let error = await #expect(throws: LockError.self) { _ = try await store.renew(huge) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func anUnguardedLockThatRanOutIsLost() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        _ = try await store.acquire(.library("a"))
        bench.advance(.seconds(15))
        let request = RenewRequest(keys: sqliteKeys, token: Bytes("a".utf8), change: .reset(.seconds(15)))
        #expect(try await store.renew(request) == .lost)
        #expect(try await store.giveBack("a", guarding: false) == false)
    }

    @Test func aHolderTakesItsOwnExpiredLockBack() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        _ = try await store.acquire(.guarded("a"))
        bench.advance(.seconds(15))
        #expect(try await store.renew(.guarded("a")) == .lost)
        #expect(try await store.renew(.guarded("a", notAfter: bench.microseconds - 1)) == .lost)
        #expect(
            try await store.renew(.guarded("a", notAfter: bench.microseconds))
                == .renewed(timeToLive: .seconds(15)))
        #expect(try await store.lookAround().token == Bytes("a".utf8))
    }

    @Test func adoptionSwapsTheTokenOnceAndKeepsTheFence() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        let fence = try #require(try await store.acquire(.guarded("old")).fence)
        var adoption = RenewRequest.guarded("old")
        adoption.successor = .init(token: Bytes("new".utf8), holder: Bytes("new record".utf8))
        #expect(try await store.renew(adoption) == .renewed(timeToLive: .seconds(15)))
        #expect(try await store.renew(adoption) == .renewed(timeToLive: .seconds(15)))
        let view = try await store.lookAround()
        #expect(view.token == Bytes("new".utf8))
        #expect(view.holderToken == view.token)
        #expect(view.holder == Bytes("new record".utf8))
        #expect(view.fence == fence)
        #expect(try await store.renew(.guarded("old")) == .lost)
        #expect(try await store.giveBack("old") == false)
        #expect(try await store.giveBack("new"))
    }

    @Test func anEmptiedLockWaitsForItsOwner() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        _ = try await store.acquire(.guarded("a"))
        try await bench.edit("UPDATE lock SET token = x''")
        guard case .orphaned(let seen) = try await store.acquire(.guarded("b")) else {
            Issue.record("an emptied lock was not seen as such")
            return
        }
        #expect(seen.timeToLive == nil)
        #expect(seen.timeout == .seconds(15))
        #expect(try await store.lookAround().token == nil)
        // Its owner puts it back; the claim of what was seen before is then worth nothing.
        let renewal = RenewRequest.guarded("a", notAfter: bench.microseconds)
        #expect(try await store.renew(renewal) == .renewed(timeToLive: .seconds(15)))
        try await bench.edit("UPDATE lock SET token = x''")
        #expect(try await store.acquire(.guarded("b", claim: seen.owner)).isGranted == false)
        let now = try #require(try await store.acquire(.guarded("b")).sighting?.owner)
        #expect(try await store.acquire(.guarded("b", claim: now)).isGranted)
    }

    @Test func maxLockTimeoutIsOneForAll() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        var other = AcquireRequest.guarded("a")
        other.guarding?.maxLockTimeout = .seconds(60)
        let error = await #expect(throws: LockError.self) { _ = try await store.acquire(other) }
        #expect(error?.code == .refused)
        #expect(
            error?.message == """
                this store was set up with max_lock_timeout = 30.0 seconds, this node is configured with 60.0 seconds: \
                they must be the same. To change it, stop every batond that uses the store and delete its file
                """)
        let long = await #expect(throws: LockError.self) {
            _ = try await store.acquire(.guarded("a", timeout: .seconds(31)))
        }
        #expect(long?.code == .invalidArgument)
        #expect(long?.message == "a lease of 31.0 seconds is longer than max_lock_timeout = 30.0 seconds")
        _ = try await store.acquire(.guarded("a"))
        let longer = await #expect(throws: LockError.self) {
            _ = try await store.renew(.guarded("a", .add(.seconds(16))))
        }
        #expect(longer?.code == .refused)
    }

    @Test func fencesGrowWhateverTheClockDoes() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        try await store.settleNow()
        var last: Int64 = 0
        for (index, wall) in [1_790_000_000_000_000, 1_700_000_000_000_000, 0, 1_800_000_000_000_000].enumerated() {
            bench.setWall(Int64(wall))
            let fence = try #require(try await store.acquire(.guarded("t\(index)")).fence)
            #expect(fence > last)
            last = fence
            #expect(try await store.giveBack("t\(index)"))
        }
        #expect(last == 1_800_000_000_000_000)
        var request = AcquireRequest.guarded("floor")
        request.fence = .init(floor: 1_900_000_000_000_000)
        #expect(try await store.acquire(request).fence == 1_900_000_000_000_001)
        _ = try await store.giveBack("floor")
    }
}
