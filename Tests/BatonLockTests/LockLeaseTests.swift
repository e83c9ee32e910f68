// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

/// Leases: the heartbeat, their loss, who sees the token, and the guard.
@Suite(.timeLimit(.minutes(2)))
struct LockLeaseTests {
    @Test(arguments: StoreBackend.forLocks)
    func theHeartbeatKeepsTheLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let timeout = Duration.seconds(3)
            let lock = try Lock(subject.store, name: report, timeout: timeout)
            let store = subject.store
            try await lock.withLock { lease in
                let token = try await store.token()
                #expect(lease.fence != nil && lease.validUntil != nil)
                for _ in 0..<20 {
                    try await Task.sleep(for: timeout * 3.2 / 20)
                    #expect(try await store.token() == token)
                    #expect(try await lock.owned())
                }
            }
            #expect(try await subject.store.token() == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func theBodysErrorIsWhatTheCallerGets(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, timeout: leaseLength)
            await #expect(throws: BodyFailed.self) { try await lock.withLock { _ in throw BodyFailed() } }
            #expect(try await subject.store.token() == nil)
            store.always(.release, .unreachable)
            await #expect(throws: BodyFailed.self) { try await lock.withLock { _ in throw BodyFailed() } }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aLostLeaseCancelsTheBodyAndSparesTheThief(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: .seconds(1))
            let store = subject.store
            let wasCancelled = Shared(false)
            let ended = await code {
                try await lock.withLock { _ in
                    try await store.overwrite(with: "thief")
                    try? await Task.sleep(for: .seconds(60))
                    wasCancelled.change { $0 = Task.isCancelled }
                }
            }
            #expect(ended == .notOwned && wasCancelled.current)
            #expect(try await subject.store.token() == bytes("thief"))
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func theLeaseEndsOnTimeWhateverTheStoreDoes(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let timeout = Duration.seconds(1)
            let lock = try Lock(store, name: report, timeout: timeout)
            for fault in [FaultyStore.Fault.unreachable, .slow(.seconds(4))] {
                store.always(.renew, fault)
                let start = ContinuousClock.now
                let cancelledAfter = Shared<Duration?>(nil)
                let ended = await code {
                    try await lock.withLock { lease in
                        try? await Task.sleep(for: .seconds(60))
                        cancelledAfter.change { $0 = .now - start }
                        let validUntil = try #require(lock.lease?.validUntil)
                        let isOwned = (try? await lock.owned()) ?? false
                        #expect(validUntil <= .now && !isOwned)
                    }
                }
                // A machine too busy to answer the release says so instead.
                #expect(ended == .notOwned || ended == .unknownOutcome)
                #expect(try #require(cancelledAfter.current) < .seconds(3))
            }
        }
    }

    @Test func aFrozenServerNeverSaysThatWeOwnALockPastItsLease() async throws {
        try await withServer { server in
            var configuration = server.tcp
            configuration.requestTimeout = .milliseconds(300)
            try await withValkeyStore(configuration) { store in
                let lock = try Lock(store, name: report, timeout: .seconds(1))
                #expect(try await lock.acquire())
                let validUntil = try #require(lock.lease?.validUntil)
                server.freeze()
                while ContinuousClock.now < validUntil + .milliseconds(300) {
                    let isOwned = (try? await lock.owned()) ?? false
                    #expect(!isOwned || ContinuousClock.now < validUntil)
                }
                server.thaw()
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aBodyThatOutlivesItsLeaseDoesNotReleaseTheNextHoldersLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            // One object, two tasks: the second gets the lock while the first has lost it and does not listen.
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, timeout: .seconds(1))
            let second = Shared<Bytes?>(nil)
            store.always(.renew, .unreachable)
            let ended = await code {
                try await lock.withLock { _ in
                    try? await Task.sleep(for: .seconds(60))
                    store.always(.renew, .none)
                    // An unrelated task, that was not cancelled.
                    let isAcquired = try await Task { try await lock.acquire() }.value
                    #expect(isAcquired)
                    second.change { $0 = store.acquires.last?.token }
                }
            }
            #expect(ended == .notOwned)
            #expect(try await subject.store.token() == second.current && second.current != nil)
            #expect(lock.lease != nil)
        }
    }

    // MARK: Who sees the token

    @Test(arguments: StoreBackend.forLocks)
    func aTasksTokenIsSeenByItsChildrenOnly(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: leaseLength, tokenScope: .task)
            #expect(await code { _ = try await lock.acquire() } == .invalidArgument)
            let unrelated = Task.detached {  // ends with its answer
                var codes: [LockError.Code?] = []
                codes.append(await code { try await lock.release() })
                codes.append(await code { try await lock.extend(.seconds(1)) })
                codes.append(await code { try await lock.reacquire() })
                return (codes, try await lock.owned())
            }
            try await lock.scoped {
                #expect(try await lock.acquire())
                async let child = lock.owned()
                #expect(try await child)
                let (codes, isOwned) = try await unrelated.value
                #expect(codes == [.notHeld, .notHeld, .notHeld] && !isOwned)
                try await lock.scoped {
                    let isOwned = try await lock.owned()
                    let isAcquired = try await lock.acquire(.no)
                    #expect(!isOwned && !isAcquired)
                }
                #expect(try await lock.extend(.seconds(1)))
                try await lock.release()
            }
            #expect(lock.lease == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aSharedTokenIsSeenByEveryTask(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: leaseLength)
            #expect(try await lock.acquire())
            let isOwned = try await Task.detached {  // ends with its answer
                let isOwned = try await lock.owned()
                try await lock.release()
                return isOwned
            }.value
            #expect(isOwned)
            #expect(try await lock.owned() == false)
        }
    }

    // MARK: The guard

    @Test func aGuardedLockSurvivesTheLossOfItsStore() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                let longest = Duration.seconds(3)
                func make() throws -> Lock {
                    try Lock(store, name: report, timeout: longest, guarded: true, maxLockTimeout: longest)
                }
                let lock = try make()
                let start = ContinuousClock.now
                let first = try await lock.withLock { lease in
                    #expect(.now - start >= longest, "the first use waits")
                    let token = try await store.token()
                    try server.ask("FLUSHALL")
                    try await eventually("it is put back") { try await store.token() == token }
                    // A key that an operator deletes comes back as well.
                    try server.ask("DEL", report)
                    try await eventually("it is put back") { try await store.token() == token }
                    #expect(try await lock.owned())
                    return lease.fence
                }
                try server.ask("FLUSHALL")
                // Each time for less than the guard's wait: what was waited for counts.
                let other = try make()
                var isAcquired = false
                while !isAcquired, .now - start < .seconds(60) {
                    isAcquired = try await other.acquire(.atMost(longest / 5))
                }
                #expect(isAcquired)
                #expect(try #require(other.lease?.fence) > (try #require(first)))
                try await other.release()
            }
        }
    }
}
