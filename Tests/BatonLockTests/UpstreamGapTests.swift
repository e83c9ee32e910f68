// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// What valkey-py's own suite does not try. More of it is in the suites that Tests/README.md names.
@Suite(.timeLimit(.minutes(2)))
struct UpstreamGapTests {
    // MARK: From task to task

    @Test(arguments: StoreBackend.forLocks)
    func aSharedLockIsHandedOn(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: .seconds(60), tokenScope: .shared)
            #expect(try await lock.acquire())
            try await Task.detached {  // ends with what it does
                #expect(try await lock.extend(.seconds(60)))
                #expect(try await lock.reacquire())
                try await lock.release()
            }.value
            #expect(try await subject.store.token() == nil)
            #expect(await code { try await lock.release() } == .notHeld)
        }
    }

    /// The timeline in the seed's documentation: a holder whose lock ran out must not release the next one's.
    @Test(arguments: StoreBackend.forLocks)
    func aHolderThatIsLateDoesNotReleaseTheNextOnesLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: .seconds(1), tokenScope: .task)
            try await lock.scoped {
                #expect(try await lock.acquire(token: bytes("abc")))
                // A second task waits for it, through the same object, and has it when the time is up.
                async let second = lock.scoped {
                    let isAcquired = try await lock.acquire(token: bytes("xyz"))
                    return try await lock.extend(.seconds(600), replaceTTL: true) && isAcquired
                }
                let isTheirs = try await second
                #expect(isTheirs)
                #expect(try await lock.owned() == false)
                #expect(await code { try await lock.release() } == .notOwned)
                #expect(try await subject.store.token() == bytes("xyz"))
            }
        }
    }

    // MARK: What a call says, not the lock

    @Test(arguments: StoreBackend.forLocks)
    func aCallsOwnWaitGoesFirst(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.overwrite(with: "other", timeout: .seconds(600))
            let patient = try Lock(subject.store, name: report, blockingTimeout: .seconds(600))
            let unwilling = try Lock(subject.store, name: report, blocking: false)
            let start = ContinuousClock.now
            #expect(try await patient.acquire(.atMost(.milliseconds(100))) == false)
            #expect(try await patient.acquire(.no) == false)
            async let acquired = unwilling.acquire(.forever)
            #expect(try await subject.store.release("other", of: reportKeys, guarding: false))
            #expect(try await acquired)
            #expect(.now - start < .seconds(60))
            try await unwilling.release()
        }
    }

    // A call's own `sleep` goes first: aCallsOwnSleepGoesFirst belongs here once `acquire` takes one.

    // MARK: Locks that lost their time

    @Test(arguments: StoreBackend.forLocks)
    func aLockThatRanOutIsNeitherExtendedNorReacquired(backend: StoreBackend) async throws {
        try await backend.with { subject in
            for isReacquired in [false, true] {
                let lock = try Lock(subject.store, name: report, timeout: .milliseconds(100))
                #expect(try await lock.acquire())
                try await eventually("it runs out") { try await subject.store.token() == nil }
                #expect(try await lock.owned() == false)
                if isReacquired {
                    #expect(await code { try await lock.reacquire() } == .notOwned)
                } else {
                    #expect(await code { try await lock.extend(.seconds(10)) } == .notOwned)
                }
                #expect(try await subject.store.token() == nil, "it was not brought back")
                #expect(await code { try await lock.release() } == .notOwned)
                #expect(await code { try await lock.release() } == .notHeld)
            }
        }
    }

    /// An operator's PERSIST: no time is left that could be added to. `reacquire` gives the lock its timeout back.
    @Test func aLockThatWasMadeToStayIsReacquired() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                let lock = try Lock(store, name: report, timeout: leaseLength)
                #expect(try await lock.acquire())
                #expect(try server.ask("PERSIST", report) == .integer(1))
                #expect(try await lock.owned())
                #expect(await code { try await lock.extend(.seconds(10)) } == .notOwned)
                #expect(try server.number("PTTL", report) == -1)
                #expect(try await lock.reacquire())
                let left = try #require(try await store.timeToLive())
                #expect(left > .zero && left <= leaseLength)
                #expect(try await lock.owned())
                try await lock.release()
            }
        }
    }

    // MARK: Servers that forget, or go away

    @Test func scriptsThatAServerForgotMidHoldAreSentAgain() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                let lock = try Lock(store, name: report, timeout: .seconds(60))
                func forgetting(_ body: () async throws -> Bool) async throws {
                    try server.ask("SCRIPT", "FLUSH")
                    #expect(try await body())
                }
                try await forgetting { try await lock.acquire(.no) }
                try await forgetting { try await lock.owned() }
                try await forgetting { try await lock.extend(.seconds(60)) }
                try await forgetting { try await lock.extend(.seconds(60), replaceTTL: true) }
                try await forgetting { try await lock.reacquire() }
                try await forgetting { try await lock.locked() }
                try await forgetting {
                    try await lock.release()
                    return try await store.token() == nil
                }
            }
        }
    }

    @Test func aServerThatWasAwayFindsItsHolderAgain() async throws {
        try await withServer(.init(appendOnly: true)) { server in
            try await withValkeyStore(server.tcp) { store in
                let lock = try Lock(store, name: report, timeout: .seconds(600))
                let other = try Lock(store, name: report, timeout: .seconds(600))
                let goneAway: [LockError.Code?] = [.unreachable, .unknownOutcome]
                #expect(try await lock.acquire())
                server.end()
                #expect(goneAway.contains(await code { try await lock.extend(.seconds(1)) }))
                #expect(goneAway.contains(await code { try await lock.release() }))
                #expect(goneAway.contains(await code { try await other.acquire(.no) }))
                #expect(goneAway.contains(await code { _ = try await lock.owned() }))
                // Nothing was said about it, so it is still ours; and a waiter waits for the server as well.
                #expect(lock.lease != nil)
                async let acquired = other.acquire(.atMost(.seconds(60)))
                try await server.start()
                try await eventually("the server answers") { (try? await lock.locked()) != nil }
                #expect(try await lock.owned())
                #expect(try await lock.extend(.seconds(1)))
                try await lock.release()
                #expect(try await acquired)
                try await other.release()
            }
        }
    }
}
