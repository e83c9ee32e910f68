// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Rule S10 for the library: what the server's clock says of a lease is believed from its next answer on, to anybody.
@Suite(.timeLimit(.minutes(1)))
struct ServerClockLockTests {
    /// A store whose clock can be set forward: what a paused machine sees when it goes on.
    private struct Bench {
        let ahead = Shared<Duration>(.zero)
        let store: ModelStore

        init() {
            let ahead = ahead
            store = ModelStore(hearing: StoreClock()) {
                (BootClock.now() + ahead.current).nanoseconds / 1000
            }
        }

        func jump(_ duration: Duration) { ahead.change { $0 += duration } }
    }

    @Test
    func theBodyIsCancelledWhenTheServersClockSaysThatItsTimeIsOver() async throws {
        let bench = Bench()
        let lock = try Lock(bench.store, name: report, timeout: .seconds(60))
        let start = ContinuousClock.now
        let ended = await code {
            try await lock.withLock { lease in
                bench.jump(.seconds(90))
                #expect(try #require(lease.validUntil) > .now, "nobody has heard of it yet")
                _ = try await bench.store.look(LockKeys(name: bytes("another")))
                #expect(try #require(lease.validUntil) <= .now)
                try? await Task.sleep(for: .seconds(60))
                #expect(Task.isCancelled)
                #expect(await lease.lost == .expired)
            }
        }
        #expect(ended == .notOwned)
        #expect(ContinuousClock.now - start < .seconds(15), "before the first renewal was due")
    }

    @Test
    func whatIsLeftIsRenewedAtOnce() async throws {
        let bench = Bench()
        let recorder = FaultyStore(bench.store)
        let lock = try Lock(recorder, name: report, timeout: .seconds(60))
        try await lock.withLock { lease in
            let before = try #require(lease.validUntil)
            bench.jump(.seconds(30))
            _ = try await bench.store.look(LockKeys(name: bytes("another")))
            try await eventually("it is renewed") { recorder.calls(.renew) == 1 }
            try await eventually("it lasts longer again") { try #require(lease.validUntil) > before - .seconds(1) }
            #expect(!Task.isCancelled)
        }
    }

    @Test
    func aLeaseThatNobodyRenewsEndsAsWell() async throws {
        let bench = Bench()
        let lock = try Lock(bench.store, name: report, timeout: .seconds(60))
        try await lock.acquire()
        let lease = try #require(lock.lease)
        async let lost = lease.lost
        bench.jump(.seconds(90))
        #expect(try await lock.owned() == false)
        #expect(await lost == .expired)
        #expect(try #require(lock.lease?.validUntil) <= .now)
        // Whoever asks for it anew has it.
        let other = try Lock(bench.store, name: report, timeout: .seconds(60))
        #expect(try await other.acquire(.no))
        #expect(try #require(other.lease?.validUntil) > .now + .seconds(50))
    }

    @Test
    func aClockThatIsSetBackChangesNothing() async throws {
        let bench = Bench()
        let lock = try Lock(bench.store, name: report, timeout: .seconds(60))
        try await lock.withLock { lease in
            let before = try #require(lease.validUntil)
            bench.jump(.seconds(-3600))
            _ = try await bench.store.look(LockKeys(name: bytes("another")))
            try await lock.reacquire()
            #expect(try #require(lease.validUntil) >= before)
        }
    }

    @Test
    func anAnswerOfAServerIsBelieved() async throws {
        try await withServer { server in
            try await withFaultProxy(server) { proxy in
                try await withValkeyStore(proxy.configuration) { store in
                    _ = try await store.look()
                    let lock = try Lock(store, name: report, timeout: .seconds(60))
                    let start = ContinuousClock.now
                    let ended = await code {
                        try await lock.withLock { lease in
                            _ = try await store.look()
                            #expect(try #require(lease.validUntil) > .now)
                            try proxy.answerNextLook(in: .seconds(90), server)
                            _ = try await store.look()
                            try? await Task.sleep(for: .seconds(60))
                            #expect(Task.isCancelled)
                        }
                    }
                    // The server, whose clock is as ever, still had it.
                    #expect(ended == .notOwned)
                    #expect(ContinuousClock.now - start < .seconds(15))
                }
            }
        }
    }

    @Test
    func anotherServerHasAClockOfItsOwn() async throws {
        try await withReplicas(1) { replicas in
            let link = try replicas.lead("store", to: replicas.primary)
            var configuration = ValkeyStore.Configuration(address: .unixSocket(path: link)).patient
            configuration.maxReconnectDelay = .milliseconds(50)
            try await withValkeyStore(configuration) { store in
                let renewed: @Sendable () async throws -> ServerTime = {
                    try await store.renew(
                        RenewRequest(keys: reportKeys, token: bytes("x"), change: .reset(leaseLength)),
                        timeout: patience
                    ).time
                }
                let first = try await renewed().clock
                store.giveUpConnection(because: "again")
                #expect(try await renewed().clock == first, "the same server")
                try replicas.servers[1].ask("REPLICAOF", "NO", "ONE")
                try replicas.lead("store", to: replicas.servers[1])
                store.giveUpConnection(because: "another")
                try await eventually("it is known as another") { try await renewed().clock == first + 1 }
            }
        }
    }
}
