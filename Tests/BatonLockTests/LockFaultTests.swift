// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import BatonSystem
import Testing

@testable import BatonTestSupport

/// Lost answers, late requests, cancelled callers: what an acquire that ended may leave behind.
@Suite(.timeLimit(.minutes(2)))
struct LockFaultTests {
    @Test(arguments: StoreBackend.forLocks)
    func aLostAnswerIsAskedForAgainWithTheSameToken(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, timeout: leaseLength)
            store.next(.acquire, .replyLost, .unreachable, .replyLost)
            #expect(try await lock.acquire())
            #expect(Set(store.acquires.map(\.token)).count == 1)
            #expect(try await subject.store.token() == store.acquires[0].token)
            try await lock.release()
            // The lease counts from before the send, not from the answer.
            store.next(.acquire, .slow(.seconds(1)))
            #expect(try await lock.acquire())
            let validUntil = try #require(lock.lease?.validUntil)
            #expect(validUntil <= .now + leaseLength * 0.99 - .milliseconds(900))
            #expect(store.acquires.last?.token != store.acquires.first?.token, "a token serves one call")
            try await lock.release()
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func anAcquireThatEndsWithoutKnowingLeavesNothing(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report)
            store.always(.acquire, .replyLost)
            store.next(.release, .unreachable, .replyLost)
            #expect(await code { _ = try await lock.acquire(.no) } == .unreachable)
            #expect(try await subject.store.token() == nil)
            #expect(lock.lease == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aRequestThatIsStuckIsVoidWhenItArrives(backend: StoreBackend) async throws {
        try await backend.with { subject in
            for timeout in [Duration?.none, leaseLength] {
                let store = FaultyStore(subject.store)
                let lock = try Lock(store, name: report, timeout: timeout)
                store.next(.acquire, .stuck)
                #expect(await code { _ = try await lock.acquire(.no) } == .unreachable)
                await store.deliver()
                #expect(try await subject.store.token() == nil, "the withdrawal waits until it is void")
            }
        }
    }

    /// The worst moment: after the first compare-and-delete, before the request is void.
    @Test(arguments: StoreBackend.forLocks)
    func aRequestThatOvertakesItsWithdrawalIsDeletedAllTheSame(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report)
            store.next(.acquire, .stuck)
            async let ended = code { _ = try await lock.acquire(.no) }
            try await eventually("it is withdrawn") { store.calls(.release) > 0 }
            await store.deliver()
            #expect(await ended == .unreachable)
            #expect(try await subject.store.token() == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aStuckRequestDoesNotTakeAReleasedLockAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report)
            store.next(.acquire, .stuck)
            #expect(try await lock.acquire())
            try await lock.release()
            await store.deliver()
            #expect(try await subject.store.token() == nil)
        }
    }

    @Test func everyRequestOfOursSaysUntilWhenItCounts() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { inner in
                // The very first request, too, when nothing was heard of the store yet.
                let store = FaultyStore(inner)
                let lock = try Lock(store, name: report, fences: false)
                #expect(try await lock.acquire(.no))
                #expect(store.acquires.allSatisfy { $0.notAfter != nil })
                try await lock.release()
                #expect(try await lock.acquire(.no, token: bytes("mine")))
                #expect(store.acquires.last?.notAfter == nil, "the seed's plain SET NX")
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aGrantThatComesTooLateIsNotUsed(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, timeout: .milliseconds(300))
            _ = try await subject.store.token()  // connected by then
            store.next(.acquire, .slow(.milliseconds(400)))
            #expect(try await lock.acquire(.no) == false)
            #expect(try await subject.store.token() == nil && lock.lease == nil)
            store.next(.acquire, .slow(.milliseconds(400)))
            let asked = store.calls(.acquire)
            #expect(try await lock.acquire(.atMost(.seconds(60))))
            #expect(store.calls(.acquire) >= asked + 2, "asked again, with a lease that counts from then")
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aCancelledAcquireLeavesNoLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            for moment in 0..<30 {
                let store = FaultyStore(subject.store)
                let lock = try Lock(store, name: report)
                switch moment % 3 {
                case 0: store.next(.acquire, .replyLost)
                case 1: store.next(.acquire, .slow(.milliseconds(5)))
                default: try await subject.store.overwrite(with: "other", timeout: .milliseconds(moment + 1))
                }
                let task = Task { try await lock.acquire() }  // ends below
                try await Task.sleep(for: .milliseconds(moment))
                task.cancel()
                // Granted before it could be told, or not at all.
                if case .success(true) = await task.result { try await lock.release() }
                #expect(lock.lease == nil)
                try await eventually("no lock is left") {
                    let token = try await subject.store.token()
                    return token == nil || token == bytes("other")
                }
                _ = try await subject.store.release("other", of: reportKeys, guarding: false)
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aReleaseIsShieldedAndMayBeRepeated(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report)
            #expect(try await lock.acquire())
            store.next(.release, .unreachable, .replyLost)
            #expect(await code { try await lock.release() } == .unreachable)
            #expect(try await lock.owned(), "nothing was said: it is still ours")
            #expect(await code { try await lock.release() } == .unknownOutcome)
            #expect(await code { try await lock.release() } == .notOwned, "the lost answer was a yes")
            #expect(try await lock.acquire())
            let task = Task {  // ends below
                withUnsafeCurrentTask { $0?.cancel() }
                try await lock.release()
            }
            try await task.value
            #expect(try await subject.store.token() == nil)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aShortenedLeaseIsBelievedEvenIfTheAnswerIsLost(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = FaultyStore(subject.store)
            let lock = try Lock(store, name: report, timeout: .seconds(60))
            for (more, replaces) in [(Duration.seconds(5), true), (.seconds(-40), false)] {
                #expect(try await lock.acquire())
                store.next(.renew, .replyLost)
                #expect(await code { try await lock.extend(more, replaceTTL: replaces) } == .unknownOutcome)
                #expect(try #require(lock.lease?.validUntil) < .now + .seconds(20))
                try await lock.release()
            }
        }
    }
}
