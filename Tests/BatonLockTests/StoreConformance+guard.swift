// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

/// A store that may have lost something, and a lock that vanished.
extension StoreConformance {
    // MARK: Rules S3 to S5: the store's past

    @Test(arguments: StoreBackend.all)
    func aNewStoreGrantsNothingBeforeItsNonceWasWaitedFor(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let nonce = try await store.nonce()
            #expect(try await store.nonce() == nonce)
            #expect(try await store.acquire(.daemon("a", nonce: bytes("another"))).isUnsettled)
            #expect(try await store.acquire(.daemon("a", nonce: nonce)).grant != nil)
            // From now on the store is settled for everybody, and for other locks.
            let other = LockKeys(prefix: "test", job: "other")
            #expect(try await store.acquire(.daemon("b", on: other)).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func theNonceOfAnotherLossIsNotAccepted(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let first = try await store.nonce()
            try await subject.forgetEverything()
            #expect(try await store.acquire(.daemon("a", nonce: first)).isUnsettled)
            let second = try await store.nonce()
            #expect(second != first)
            #expect(try await store.acquire(.daemon("a", nonce: second)).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aStoreThatComesBackIsUnsettledAndEachTimeAnew(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            var nonces: [Bytes] = []
            for _ in 0..<3 {
                try await subject.restart()
                // Not even its holder's token is known again without the wait.
                #expect(try await store.acquire(.daemon("a")).isUnsettled)
                let nonce = try await store.nonce()
                #expect(!nonces.contains(nonce))
                nonces.append(nonce)
            }
            // It is used, but nobody asks it for a grant, and then it is replaced once more.
            try await subject.restart()
            _ = try await store.look()
            try await subject.restart()
            for nonce in nonces { #expect(try await store.acquire(.daemon("b", nonce: nonce)).isUnsettled) }
            #expect(try await store.acquire(.daemon("b", nonce: store.nonce())).heldBy != nil)
            #expect(try await store.acquire(.daemon("a")).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func withoutTheGuardTheStoresPastDoesNotMatter(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            var request = AcquireRequest.daemon("a")
            request.guarding = nil
            #expect(try await store.acquire(request).grant != nil)
            let renewal = RenewRequest(keys: .report, token: bytes("a"), change: .reset(leaseLength))
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            try await subject.forgetEverything()
            #expect(try await store.renew(renewal) == .lost)
            #expect(try await store.renew(renewal.with(\.notAfter, store.serverTime(in: 10))) == .lost)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aHolderPutsItsLockBackAndEndsNobodysWait(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let fence = try #require(try await store.acquire(.daemon("a")).grant?.fence)
            try await subject.forgetEverything()
            let nonce = try await store.nonce()
            let renewal = try RenewRequest.daemon("a", notAfter: store.serverTime(in: 10), fence: fence)
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            let view = try await store.look()
            #expect(view.token == bytes("a") && view.holderToken == bytes("a") && view.holder == bytes("held by a"))
            #expect(view.fence >= fence)
            // The wait goes on with the same nonce; after it the lock is held.
            #expect(try await store.nonce() == nonce)
            #expect(try await store.acquire(.daemon("b", nonce: nonce)).heldBy != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLockIsNotPutBackLate(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            try await subject.forgetEverything()
            #expect(try await store.renew(.daemon("a", notAfter: store.serverTime(in: -1))) == .unsettled)
            #expect(try await store.look().token == nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRefusalByAnUnsettledStoreIsNotALoss(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.renew(.daemon("a", notAfter: store.serverTime(in: 10))) == .lost)
            try await subject.forgetEverything()
            #expect(try await store.acquire(.plain("foreign")).grant != nil)
            #expect(try await store.renew(.daemon("a", notAfter: store.serverTime(in: 10))) == .unsettled)
        }
    }

    @Test(arguments: StoreBackend.all)
    func anotherMaxLockTimeoutIsRefused(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            var request = AcquireRequest.daemon("a")
            request.guarding?.maxLockTimeout = .seconds(60)
            let error = await #expect(throws: LockError.self) { try await store.acquire(request, timeout: patience) }
            #expect(error?.code == .refused)
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let extending = try RenewRequest.daemon(
                "a", change: .add(.seconds(25)), notAfter: store.serverTime(in: 10))
            await #expect(throws: LockError.self) { try await store.renew(extending, timeout: patience) }
        }
    }

    // MARK: Rule S6: a lock that vanished

    @Test(arguments: StoreBackend.all)
    func aVanishedLockIsGrantedToAClaimOnly(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let held = try #require(try await store.acquire(.daemon("b")).heldBy)
            #expect(held.timeout == leaseLength)
            try await subject.deleteLock(.report)
            let orphan = try #require(try await store.acquire(.daemon("b")).orphanOf)
            #expect(orphan.owner == held.owner && orphan.timeout == leaseLength && orphan.timeToLive == nil)
            #expect(try await store.acquire(.daemon("b", claim: bytes("0:20000:a"))).orphanOf != nil)
            #expect(try await store.acquire(.daemon("b", claim: orphan.owner)).grant != nil)
            #expect(try await store.renew(.daemon("a", notAfter: store.serverTime(in: 10))) == .lost)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRenewalVoidsTheClaim(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let seen = try #require(try await store.acquire(.daemon("b")).heldBy)
            try await subject.deleteLock(.report)
            // The holder puts it back, and it vanishes once more.
            let renewal = try RenewRequest.daemon("a", notAfter: store.serverTime(in: 10))
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            try await subject.deleteLock(.report)
            #expect(try await store.acquire(.daemon("b", claim: seen.owner)).orphanOf != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func everyRenewalChangesTheOwnerRecord(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            var seen: [Bytes] = []
            for _ in 0..<4 {
                let owner = try #require(try await store.acquire(.daemon("b")).heldBy?.owner)
                #expect(!seen.contains(owner))
                seen.append(owner)
                _ = try await store.renew(.daemon("a", notAfter: store.serverTime(in: 10)))
            }
        }
    }

    @Test(arguments: StoreBackend.all)
    func aReleaseClearsEverything(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            #expect(try await store.release("a"))
            let view = try await store.look()
            #expect(view.token == nil && view.holder == nil && view.holderToken == nil)
            #expect(try await store.acquire(.daemon("b")).grant != nil)
            // A lock that vanished is released as well: its owner record is ours.
            try await subject.deleteLock(.report)
            #expect(try await store.release("b"))
            #expect(try await store.acquire(.daemon("c")).grant != nil)
            #expect(try await store.release("b") == false)
        }
    }

    @Test(arguments: StoreBackend.all)
    func anOldRecordDoesNotKeepTheHolderFromPuttingItsLockBack(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            // The store comes back from a copy that knows an earlier holder.
            #expect(try await store.acquire(.daemon("earlier")).grant != nil)
            try await subject.restart()
            try await subject.deleteLock(.report)
            let renewal = try await RenewRequest.daemon("a", notAfter: store.timeAfterALook() + 10_000_000)
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            #expect(try await store.acquire(.daemon("b", nonce: store.nonce())).heldBy != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func withoutTheGuardTheOwnerRecordIsLeftAlone(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let owner = try #require(try await store.acquire(.daemon("b")).heldBy?.owner)
            let renewal = RenewRequest(keys: .report, token: bytes("a"), change: .reset(.seconds(5)))
            #expect(try await store.renew(renewal) == .renewed(timeToLive: .seconds(5)))
            #expect(try await store.release("a", guarding: false))
            #expect(try await store.look().holderToken == bytes("a"))
            // Who asks without the guard is granted it, and gives it back.
            #expect(try await store.acquire(.plain("b")).grant != nil)
            #expect(try await store.acquire(.daemon("c")).heldBy?.owner == owner)
            #expect(try await store.release("b", guarding: false))
            // Who asks with it learns that it was never released by its owner.
            #expect(try await store.acquire(.daemon("c")).orphanOf?.owner == owner)
            #expect(try await store.release("a"))
            #expect(try await store.acquire(.daemon("c")).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func theOwnerIsGrantedItsVanishedLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            try await subject.deleteLock(.report)
            #expect(try await store.renew(.daemon("a", notAfter: nil)) == .lost, "without a limit nothing is put back")
            #expect(try await store.renew(.daemon("a", notAfter: store.serverTime(in: -1))) == .lost)
            #expect(try await store.acquire(.daemon("a")).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func theRecordOfAnEarlierGrantIsNeverSeenAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            var seen: [Bytes] = []
            for _ in 0..<3 {
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                let owner = try #require(try await store.acquire(.daemon("b")).heldBy?.owner)
                #expect(!seen.contains(owner))
                seen.append(owner)
                #expect(try await store.release("a"))
            }
        }
    }
}
