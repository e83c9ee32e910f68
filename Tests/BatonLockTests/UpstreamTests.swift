// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

@testable import BatonTestSupport

/// Cases of valkey-py's own suite, by its names. Those that other suites cover already are in Tests/README.md only.
@Suite(.timeLimit(.minutes(2)))
struct UpstreamTests {
    // MARK: Tokens

    @Test("test_lock_token", arguments: StoreBackend.forLocks)
    func aTokenOfTheCallersInATaskScope(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, tokenScope: .task)
            try await lock.scoped {
                #expect(try await lock.acquire(.no, token: bytes("test")))
                #expect(try await subject.store.token() == bytes("test"))
                #expect(try await subject.store.timeToLive() == nil)
                #expect(try await lock.owned() && lock.lease != nil)
                try await lock.release()
                #expect(try await subject.store.token() == nil)
                #expect(lock.lease == nil)
            }
        }
    }

    @Test("test_lock_token_thread_local_false", arguments: StoreBackend.forLocks)
    func aTokenOfTheCallersInASharedScope(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, tokenScope: .shared)
            #expect(try await lock.acquire(.no, token: bytes("test")))
            #expect(try await subject.store.token() == bytes("test"))
            #expect(try await subject.store.timeToLive() == nil)
            let isOwned = try await Task.detached { try await lock.owned() }.value  // ends with its answer
            #expect(isOwned)
            try await lock.release()
            #expect(try await subject.store.token() == nil)
            #expect(lock.lease == nil)
        }
    }

    // MARK: Waiting

    @Test("test_blocking", arguments: StoreBackend.forLocks)
    func aLockWaitsUnlessItWasSaidOtherwise(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let unwilling = try Lock(subject.store, name: report, blocking: false)
            let willing = try Lock(subject.store, name: report)
            #expect(!unwilling.blocking && willing.blocking)
            #expect(try await unwilling.acquire(), "it is free")
            #expect(try await Lock(subject.store, name: report, blocking: false).acquire() == false)
            async let acquired = willing.acquire()
            try await unwilling.release()
            #expect(try await acquired)
            try await willing.release()
        }
    }

    /// The seed gives up at once when its next attempt would come too late. Here the time is used to its end.
    @Test("test_high_sleep_small_blocking_timeout", arguments: StoreBackend.forLocks)
    func aWaitIsNotBoundToTheSleep(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.overwrite(with: "other", timeout: .seconds(600))
            let wait = Duration.milliseconds(300)
            let lock = try Lock(subject.store, name: report, sleep: .seconds(60), blockingTimeout: wait)
            let start = ContinuousClock.now
            #expect(try await lock.acquire() == false)
            #expect(.now - start >= wait && .now - start < .seconds(30))
            // A lock that runs out within the wait is had, however long the sleep is.
            try await subject.store.overwrite(with: "other", timeout: .milliseconds(500))
            #expect(try await lock.acquire(.atMost(.seconds(30))))
            #expect(.now - start < .seconds(30))
            try await lock.release()
        }
    }

    // MARK: Scopes: the seed's context manager

    @Test("test_context_manager", arguments: StoreBackend.forLocks)
    func aScopeHoldsTheLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let lock = try Lock(store, name: report)
            let answer = try await lock.withLock { lease in
                #expect(try await store.token() != nil)
                let isOwned = try await lock.owned()
                #expect(isOwned && lease.fence == lock.lease?.fence)
                return 42
            }
            #expect(answer == 42)
            #expect(try await store.token() == nil)
        }
    }

    @Test("test_context_manager_blocking_timeout", arguments: StoreBackend.forLocks)
    func aWaitForAScopesLockEnds(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let wait = Duration.milliseconds(200)
            let outer = try Lock(subject.store, name: report, blocking: false)
            let inner = try Lock(subject.store, name: report, sleep: .milliseconds(50))
            try await outer.withLock { _ in
                let start = ContinuousClock.now
                let isAcquired = try await inner.acquire(.atMost(wait))
                #expect(!isAcquired && .now - start >= wait)
                let isOwned = try await outer.owned()
                #expect(isOwned)
            }
        }
    }

    @Test("test_context_manager_raises_when_locked_not_acquired", arguments: StoreBackend.forLocks)
    func aScopeWithoutItsLockIsNotEntered(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.overwrite(with: "other")
            let lock = try Lock(subject.store, name: report, blockingTimeout: .milliseconds(100))
            let wasEntered = Shared(false)
            for wait in [Lock.Wait?.none, .no] {
                let ended = await code { try await lock.withLock(wait) { _ in wasEntered.change { $0 = true } } }
                #expect(ended == .notAcquired && !wasEntered.current)
            }
            #expect(try await subject.store.token() == bytes("other"))
        }
    }

    @Test("test_context_manager_reacquiring_lock_with_no_timeout_raises_error", arguments: StoreBackend.forLocks)
    func reacquiringWithoutATimeoutEndsTheScope(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report)
            let ended = await code { try await lock.withLock { _ in _ = try await lock.reacquire() } }
            #expect(ended == .noTimeout)
            #expect(try await subject.store.token() == nil, "it was released")
        }
    }

    @Test("test_context_manager_reacquiring_lock_no_longer_owned_raises_error", arguments: StoreBackend.forLocks)
    func aScopeWhoseLockWasTakenEndsWithThat(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            for timeout in [Duration?.none, .seconds(60)] {
                let lock = try Lock(store, name: report, timeout: timeout)
                // The body ends well, long before a heartbeat could have noticed.
                #expect(
                    await code { try await lock.withLock { _ in try await store.overwrite(with: "thief") } }
                        == .notOwned)
                #expect(try await store.token() == bytes("thief"))
                #expect(lock.lease == nil)
                #expect(try await store.release("thief", of: reportKeys, guarding: false))
            }
        }
    }

    // MARK: extend, reacquire

    @Test("test_extend_lock_float", arguments: StoreBackend.forLocks)
    func partsOfASecondCount(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let lock = try Lock(store, name: report, timeout: .milliseconds(60_500))
            #expect(try await lock.acquire())
            #expect(try await lock.extend(.milliseconds(10_250)))
            let more = try #require(try await store.timeToLive())
            #expect(more > .milliseconds(60_500) && more <= .milliseconds(70_750))
            // Half a millisecond is not lost, and never becomes nothing.
            #expect(try await lock.extend(.microseconds(90_000_500), replaceTTL: true))
            let left = try #require(try await store.timeToLive())
            #expect(left > .seconds(80) && left <= .milliseconds(90_001))
            try await lock.release()
        }
    }

    @Test("test_reacquire_lock", arguments: StoreBackend.forLocks)
    func reacquiringGivesTheWholeTimeAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let lock = try Lock(store, name: report, timeout: .seconds(60))
            #expect(try await lock.acquire())
            // Behind the lock's back.
            let token = try #require(try await store.token())
            let change = RenewRequest(keys: reportKeys, token: token, change: .reset(.seconds(20)))
            #expect(try await store.renew(change) == .renewed(timeToLive: .seconds(20)))
            #expect(try await lock.reacquire())
            let left = try #require(try await store.timeToLive())
            #expect(left > .seconds(40) && left <= .seconds(60))
            #expect(try await lock.owned())
            try await lock.release()
        }
    }

    // MARK: Errors

    @Test("test_lock_error_gives_correct_lock_name", arguments: StoreBackend.forLocks)
    func everyErrorNamesTheLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            func named(_ expected: LockError.Code, _ body: () async throws -> Void) async throws {
                let error = await #expect(throws: LockError.self) { try await body() }
                #expect(error?.code == expected && error?.lock == report)
                #expect(error?.message.isEmpty == false && error?.description.hasPrefix("report: ") == true)
            }
            let lock = try Lock(subject.store, name: report, timeout: leaseLength)
            let endless = try Lock(subject.store, name: report, blocking: false)
            try await named(.invalidArgument) { _ = try Lock(subject.store, name: report, timeout: .zero) }
            try await named(.notHeld) { try await lock.release() }
            #expect(try await lock.acquire())
            try await named(.invalidArgument) { try await lock.extend(.zero, replaceTTL: true) }
            try await named(.notAcquired) { try await endless.withLock { _ in } }
            try await subject.store.overwrite(with: "thief")
            try await named(.notOwned) { try await lock.extend(.seconds(1)) }
            try await named(.notOwned) { try await lock.reacquire() }
            try await named(.notOwned) { try await lock.release() }
            #expect(try await subject.store.release("thief", of: reportKeys, guarding: false))
            #expect(try await endless.acquire())
            try await named(.noTimeout) { try await endless.extend(.seconds(1)) }
            try await endless.release()
        }
    }
}
