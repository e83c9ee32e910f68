// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

@testable import BatonTestSupport

/// The seed's lock, operation by operation.
@Suite(.timeLimit(.minutes(2)))
struct LockTests {
    // MARK: acquire, release, locked, owned

    @Test(arguments: StoreBackend.forLocks)
    func aLockIsAcquiredAndReleased(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report)
            #expect(try await lock.locked() == false)
            #expect(try await lock.acquire(.no))
            let view = try await subject.store.look(reportKeys)
            #expect(view.token?.count == 32 && view.timeToLive == nil)
            #expect(lock.lease?.validUntil == nil && lock.lease?.fence != nil)
            #expect(try await lock.locked())
            try await lock.release()
            #expect(try await lock.locked() == false)
            #expect(lock.lease == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aTokenOfTheCallersIsUsedVerbatim(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report)
            for token in [bytes("test"), [0, 255, 10, 200]] {
                #expect(try await lock.acquire(.no, token: token))
                #expect(try await subject.store.token() == token)
                #expect(try await lock.owned())
                // Two processes with one token must not both win.
                let other = try Lock(subject.store, name: report)
                #expect(try await other.acquire(.no, token: token) == false)
                try await lock.release()
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func onlyTheHolderOwns(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let first = try Lock(subject.store, name: report, timeout: leaseLength)
            let second = try Lock(subject.store, name: report, timeout: leaseLength)
            #expect(try await first.owned() == false)
            #expect(try await first.acquire())
            #expect(try await first.owned())
            #expect(try await second.owned() == false)
            #expect(try await second.acquire(.no) == false)
            try await first.release()
            #expect(try await first.owned() == false)
            #expect(try await second.owned() == false)
            #expect(try await second.acquire(.no))
            #expect(try await first.acquire(.no) == false)
            try await second.release()
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func theTimeoutIsTheTimeToLive(backend: StoreBackend) async throws {
        try await backend.with { subject in
            for timeout in [Duration.seconds(20), .milliseconds(19_500), .microseconds(18_000_500)] {
                let lock = try Lock(subject.store, name: report, timeout: timeout)
                let before = ContinuousClock.now
                #expect(try await lock.acquire())
                let left = try #require(try await subject.store.timeToLive())
                #expect(left > .seconds(8) && left <= timeout + .milliseconds(1))
                let validUntil = try #require(lock.lease?.validUntil)
                #expect(validUntil <= ContinuousClock.now + timeout && validUntil >= before + timeout * 0.98)
                try await lock.release()
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aLockThatThisObjectHoldsIsNotGrantedAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: leaseLength)
            #expect(try await lock.acquire())
            let token = try await subject.store.token()
            #expect(try await lock.acquire(.no) == false)
            #expect(try await lock.acquire(.atMost(.milliseconds(20))) == false)
            #expect(try await subject.store.token() == token)
            #expect(try await lock.owned())
            try await lock.release()
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aLostLockIsNotReleased(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: leaseLength)
            #expect(try await lock.acquire())
            try await subject.store.overwrite(with: "thief")
            #expect(try await lock.owned() == false)
            #expect(await code { try await lock.extend(.seconds(1)) } == .notOwned)
            #expect(await code { try await lock.reacquire() } == .notOwned)
            // Refused is over: no more validity is claimed.
            #expect(try #require(lock.lease?.validUntil) <= .now)
            #expect(await code { try await lock.release() } == .notOwned)
            #expect(lock.lease == nil)
            #expect(try await subject.store.token() == bytes("thief"))
            #expect(await code { try await lock.release() } == .notHeld)
        }
    }

    // MARK: extend, reacquire

    @Test(arguments: StoreBackend.forLocks)
    func extendingAndReacquiring(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let lock = try Lock(store, name: report, timeout: .seconds(30))
            #expect(try await lock.acquire())
            func left(_ range: ClosedRange<Int64>) async throws {
                let left = try #require(try await store.timeToLive())
                #expect(left > .seconds(range.lowerBound) && left <= .seconds(range.upperBound))
            }
            func valid() throws -> Duration { try #require(lock.lease?.validUntil) - .now }
            #expect(try await lock.extend(.seconds(100)))
            try await left(110...130)
            #expect(try valid() > .seconds(100) && valid() < .seconds(130))
            #expect(try await lock.extend(.seconds(60), replaceTTL: true))
            try await left(40...60)
            #expect(try valid() < .seconds(60))
            #expect(try await lock.extend(.seconds(-10)))
            try await left(20...50)
            #expect(try valid() < .seconds(50))
            #expect(try await lock.reacquire())
            try await left(10...30)
            #expect(try valid() < .seconds(30))
            try await lock.release()
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func anExtensionThatWouldDeleteTheLockIsRefused(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let faulty = FaultyStore(subject.store)
            let lock = try Lock(faulty, name: report, timeout: leaseLength)
            #expect(try await lock.acquire())
            for (more, replaces) in [
                (Duration.seconds(-100), false), (.seconds(-20), false), (.zero, true), (.seconds(-1), true),
                (.microseconds(500), true), (.seconds(Int64.min), false),
            ] {
                #expect(await code { try await lock.extend(more, replaceTTL: replaces) } == .invalidArgument)
            }
            #expect(faulty.calls(.renew) == 0, "nothing was sent")
            #expect(try await lock.owned())
            try await lock.release()
        }
    }

    // MARK: Errors, and their order: token, timeout, server

    @Test func theTokenIsLookedAtFirstThenTheTimeoutThenTheServer() async throws {
        // Nothing answers here: an error about the server would take its time and have another code.
        let nowhere = SQLiteStore(path: "/nowhere/at/all/baton.db", maxLockTimeout: maxLockTimeout)
        for timeout in [Duration?.none, leaseLength] {
            let lock = try Lock(nowhere, name: report, timeout: timeout)
            #expect(await code { try await lock.release() } == .notHeld)
            #expect(await code { try await lock.extend(.seconds(-1000)) } == .notHeld)
            #expect(await code { try await lock.reacquire() } == .notHeld)
            #expect(try await lock.owned() == false)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aLockWithoutATimeoutIsNeitherExtendedNorReacquired(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report)
            #expect(try await lock.acquire())
            #expect(await code { try await lock.extend(.seconds(10)) } == .noTimeout)
            #expect(await code { try await lock.reacquire() } == .noTimeout)
            try await lock.release()
        }
    }

    @Test func errorsNameTheLock() async throws {
        let lock = try Lock(
            SQLiteStore(path: "/nowhere/at/all/baton.db", maxLockTimeout: maxLockTimeout), name: report)
        let error = await #expect(throws: LockError.self) { try await lock.release() }
        #expect(error?.lock == report && error?.description.hasPrefix("report: ") == true)
    }

    @Test func valuesThatCanNeverWorkAreRefused() {
        let store = SQLiteStore(path: "/nowhere/at/all/baton.db", maxLockTimeout: maxLockTimeout)
        func refused(_ make: () throws(LockError) -> Lock) -> Bool {
            do throws(LockError) {
                _ = try make()
                return false
            } catch {
                return error.code == .invalidArgument
            }
        }
        for timeout in [
            Duration.zero, .seconds(-1), .microseconds(999), .nanoseconds(1), .milliseconds(2),
            .seconds(Int64.max), .seconds(Int64.min),
        ] {
            #expect(refused { () throws(LockError) in try Lock(store, name: report, timeout: timeout) }, "\(timeout)")
        }
        for sleep in [Duration.zero, .seconds(-1), .microseconds(10)] {
            #expect(refused { () throws(LockError) in try Lock(store, name: report, sleep: sleep) })
        }
        #expect(refused { () throws(LockError) in try Lock(store, name: report, blockingTimeout: .seconds(-1)) })
        #expect(refused { () throws(LockError) in try Lock(store, name: "") })
        #expect(
            refused { () throws(LockError) in try Lock(store, name: String(repeating: "n", count: 513)) })
        #expect(refused { () throws(LockError) in try Lock(store, name: report, guarded: true) })
        #expect(
            refused { () throws(LockError) in
                try Lock(store, name: report, timeout: .seconds(31), guarded: true, maxLockTimeout: .seconds(30))
            })
        #expect(
            !refused { () throws(LockError) in
                try Lock(store, name: String(repeating: "n", count: 512), timeout: .milliseconds(10))
            })
    }
}
