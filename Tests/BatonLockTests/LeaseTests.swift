// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// What a holder is told of its lease.
@Suite(.timeLimit(.minutes(2)))
struct LeaseTests {
    @Test(arguments: StoreBackend.forLocks)
    func itsEndMovesWithEachRenewal(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: .seconds(2))
            try await lock.withLock { lease in
                let first = try #require(lease.validUntil)
                try await eventually("it moves twice") {
                    try #require(lease.validUntil) >= first + .seconds(1)
                }
                #expect(try await lock.owned())
            }
            try await lock.acquire()
            let lease = try #require(lock.lease)
            let before = try #require(lease.validUntil)
            try await lock.extend(.seconds(60))
            #expect(try #require(lease.validUntil) > before + .seconds(50))
            try await lock.release()
        }
    }

    /// Work that cannot be cancelled with its task waits for the end of its lease beside it.
    @Test(arguments: StoreBackend.forLocks)
    func aRefusedRenewalIsALoss(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: .seconds(1))
            let store = subject.store
            let ended = await code {
                try await lock.withLock { lease in
                    async let loss = lease.lost
                    try await store.overwrite(with: "thief")
                    #expect(await loss == .refused)
                    #expect(await lease.lost == .refused, "also who asks later")
                    #expect(try #require(lease.validUntil) <= .now)
                }
            }
            #expect(ended == .notOwned)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aRenewalThatDoesNotComeThroughIsALoss(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, timeout: .seconds(1))
            store.always(.renew, .unreachable)
            let ended = await code {
                try await lock.withLock { lease in
                    let validUntil = try #require(lease.validUntil)
                    #expect(await lease.lost == .expired)
                    #expect(.now >= validUntil)
                }
            }
            #expect(ended == .notOwned)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func alsoWithoutAHeartbeat(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let lock = try Lock(subject.store, name: report, timeout: .milliseconds(200))
            try await lock.acquire()
            let lease = try #require(lock.lease)
            #expect(await lease.lost == .expired)
            #expect(try await lock.owned() == false)
            _ = await code { try await lock.release() }

            // A release is no loss, and neither is the end of the one who waits.
            let unending = try Lock(subject.store, name: report)
            try await unending.acquire()
            let held = try #require(unending.lease)
            async let loss = held.lost
            let impatient = Task { await held.lost }  // cancelled here
            impatient.cancel()
            #expect(await impatient.value == nil)
            try await unending.release()
            #expect(await loss == nil)
            #expect(await held.lost == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aFloorIsExceeded(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let floor: Int64 = 1 << 52
            let lock = try Lock(subject.store, name: report, timeout: leaseLength, fenceFloor: floor)
            try await lock.acquire()
            #expect(lock.lease?.fence == floor + 1)
            try await lock.release()
            let other = try Lock(subject.store, name: report, timeout: leaseLength)
            try await other.acquire()
            #expect(try #require(other.lease?.fence) > floor + 1)
            try await other.release()
            for bad in [-1, (1 << 53) - 1, 1 << 53, .max] as [Int64] {
                #expect(
                    await code { _ = try Lock(subject.store, name: report, fenceFloor: bad) } == .invalidArgument)
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aNameIsBytes(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let name: Bytes = [0, 255, 58, 10, 200]
            let lock = try Lock(subject.store, name: name, timeout: leaseLength)
            #expect(try await lock.acquire(token: "text"))
            let view = try await subject.store.look(at: LockKeys(name: name), timeout: patience)
            #expect(view.token == bytes("text"))
            #expect(lock.name.unicodeScalars.allSatisfy { $0.value >= 32 }, "fit for a log")
            let error = await #expect(throws: LockError.self) { try await lock.acquire(.no, token: [UInt8]()) }
            #expect(error?.code == .invalidArgument && error?.lock == lock.name)
            try await lock.release()
            for bad in [Bytes(), Bytes(repeating: 65, count: 513)] {
                #expect(await code { _ = try Lock(subject.store, name: bad) } == .invalidArgument)
            }
        }
    }
}
