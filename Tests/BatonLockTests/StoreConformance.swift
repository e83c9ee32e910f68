// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Testing

@testable import BatonTestSupport

/// What every store does, whatever it is made of.
@Suite(.timeLimit(.minutes(2)))
struct StoreConformance {
    // MARK: The seed's lock

    @Test(arguments: StoreBackend.all)
    func aLockIsGrantedOnce(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            #expect(try await store.acquire(.plain("a")).grant != nil)
            let seen = try #require(try await store.acquire(.plain("b")).heldBy)
            let left = try #require(seen.timeToLive)
            #expect(left > .zero && left <= leaseLength)
            let view = try await store.look()
            #expect(view.token == bytes("a"))
            #expect(view.timeToLive.map { $0 > .zero && $0 <= leaseLength } == true)
            #expect(try await store.release("b", guarding: false) == false)
            #expect(try await store.release("a", guarding: false))
            #expect(try await store.release("a", guarding: false) == false)
            #expect(try await store.acquire(.plain("b")).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aTokenOfTheCallersIsNotAcceptedTwice(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let first = try await subject.store.acquire(.plain("same"))
            let second = try await subject.store.acquire(.plain("same"))
            #expect(first.grant != nil && second.heldBy != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLockWithoutATimeoutHasNoTimeToLive(backend: StoreBackend) async throws {
        try await backend.with { subject in
            #expect(try await subject.store.acquire(.plain("a", timeout: nil)).grant != nil)
            #expect(try await subject.store.look().timeToLive == nil)
            let seen = try #require(try await subject.store.acquire(.plain("b")).heldBy)
            #expect(seen.timeToLive == nil)
            let extending = RenewRequest(keys: .report, token: bytes("a"), change: .add(.seconds(1)))
            #expect(try await subject.store.renew(extending) == .lost)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLockRunsOut(backend: StoreBackend) async throws {
        try await backend.with { subject in
            #expect(try await subject.store.acquire(.plain("a", timeout: .milliseconds(50))).grant != nil)
            try await eventually("the lock runs out") { try await subject.store.acquire(.plain("b")).grant != nil }
            let renewal = RenewRequest(keys: .report, token: bytes("a"), change: .reset(leaseLength))
            #expect(try await subject.store.renew(renewal) == .lost)
        }
    }

    @Test(arguments: StoreBackend.all)
    func extendingAddsToWhatIsLeft(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            #expect(try await store.acquire(.plain("a")).grant != nil)
            func changed(_ change: RenewRequest.Change) async throws -> Duration {
                let reply = try await store.renew(RenewRequest(keys: .report, token: bytes("a"), change: change))
                guard case .renewed(let left) = reply else { throw TestFailure("not renewed: \(reply)") }
                return left
            }
            let more = try await changed(.add(.seconds(100)))
            #expect(more > .seconds(100) && more <= .seconds(120))
            let less = try await changed(.add(.seconds(-60)))
            #expect(less > .seconds(40) && less <= .seconds(60))
            #expect(try await changed(.reset(.seconds(30))) == .seconds(30))
            await #expect(throws: LockError.self) { try await changed(.add(.seconds(-40))) }
            #expect(try await store.look().token == bytes("a"))
            let foreign = RenewRequest(keys: .report, token: bytes("b"), change: .reset(.seconds(30)))
            #expect(try await store.renew(foreign) == .lost)
        }
    }

    @Test(arguments: StoreBackend.all)
    func tokensAndNamesAreBytes(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let keys = LockKeys(name: [0, 255, 58, 10, 13] + Bytes(repeating: 200, count: 507))
            var request = AcquireRequest.daemon("", on: keys)
            request.token = [0, 58, 255, 58, 10]
            request.guarding?.nonce = try await subject.store.nonce(keys)
            #expect(try await subject.store.acquire(request).grant != nil)
            let view = try await subject.store.look(keys)
            #expect(view.token == request.token && view.holderToken == request.token)
            let seen = try #require(try await subject.store.acquire(.daemon("b", on: keys)).heldBy)
            #expect(seen.timeout == leaseLength)
            let release = ReleaseRequest(keys: keys, token: request.token, guarding: true)
            #expect(try await subject.store.release(release, timeout: patience))
        }
    }

    // MARK: Rules S1 and S2: tokens, late requests

    @Test(arguments: StoreBackend.all)
    func aFreshTokenOfOursIsAYesAgain(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let first = try #require(try await store.acquire(.daemon("a", timeout: .seconds(5))).grant)
            let before = try #require(try await store.acquire(.daemon("b")).heldBy)
            let second = try #require(try await store.acquire(.daemon("a", timeout: .seconds(20))).grant)
            #expect(second.fence == first.fence)
            let after = try #require(try await store.acquire(.daemon("b")).heldBy)
            #expect(try #require(after.timeToLive) > .seconds(5))
            #expect(after.owner != before.owner)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLateRequestIsVoid(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let past = try store.serverTime(in: -1)
            #expect(try await store.acquire(.daemon("a", notAfter: past)) == .late)
            #expect(try await store.look().token == nil)
            let future = try store.serverTime(in: 100)
            #expect(try await store.acquire(.daemon("a", notAfter: future)).grant != nil)
        }
    }

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

    // MARK: Rule N3: adoption

    @Test(arguments: StoreBackend.all)
    func adoptionSwapsTheTokenAndKeepsTheFence(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let fence = try #require(try await store.acquire(.daemon("old")).grant?.fence)
            var adoption = try RenewRequest.daemon("old", notAfter: store.serverTime(in: 10), fence: fence)
            adoption.successor = .init(token: bytes("new"), holder: bytes("adopted"))
            #expect(try await store.renew(adoption) == .renewed(timeToLive: leaseLength))
            // The reply was lost: the same question gets the same answer.
            #expect(try await store.renew(adoption) == .renewed(timeToLive: leaseLength))
            let view = try await store.look()
            #expect(view.token == bytes("new") && view.holderToken == bytes("new") && view.holder == bytes("adopted"))
            #expect(view.fence == fence)
            // Whatever the old daemon still has in flight hits nothing.
            #expect(try await store.renew(.daemon("old", notAfter: store.serverTime(in: 10))) == .lost)
            #expect(try await store.release("old") == false)
            #expect(try await store.release("new"))
        }
    }

    // MARK: Rule S7: fences

    @Test(arguments: StoreBackend.all)
    func fencesGrow(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            var last: Int64 = 0
            for round in 0..<5 {
                let token = "t\(round)"
                let fence = try #require(try await store.acquire(.daemon(token)).grant?.fence)
                #expect(fence > last)
                last = fence
                #expect(try await store.release(token))
            }
            let floor = last + 1_000_000_000_000
            let high = try #require(try await store.acquire(.daemon("high", floor: floor)).grant?.fence)
            #expect(high == floor + 1)
            #expect(try await store.release("high"))
            #expect(try await store.acquire(.daemon("next")).grant?.fence == high + 1)
            try await subject.forgetEverything()
            let nonce = try await store.nonce()
            let after = try #require(try await store.acquire(.daemon("after", nonce: nonce, floor: high + 1)).grant?.fence)
            #expect(after == high + 2)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRenewalRaisesTheFenceOfAForgetfulStore(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let floor = try store.serverTime(in: 1_000_000)
            let fence = try #require(try await store.acquire(.daemon("a", floor: floor)).grant?.fence)
            try await subject.forgetEverything()
            _ = try await store.renew(.daemon("a", notAfter: store.serverTime(in: 10), fence: fence))
            #expect(try await store.look().fence == fence)
        }
    }

    // MARK: Marks

    @Test(arguments: StoreBackend.all)
    func aMarkKeepsTheLockFromBeingGranted(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let down = Mark(kind: .heldDown, by: "web-1")
            try await store.setMark(down, on: .report, timeout: patience)
            #expect(try await store.acquire(.daemon("a")) == .marked(down))
            #expect(try await store.look().mark == down)
            var heedless = AcquireRequest.daemon("a")
            heedless.heedsMarks = false
            #expect(try await store.acquire(heedless).grant != nil)
            #expect(try await store.release("a"))
            try await store.setMark(nil, on: .report, timeout: patience)
            #expect(try await store.look().mark == nil)
            #expect(try await store.acquire(.daemon("a")).grant != nil)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aCoolingMarkPassesAndItsFailuresComeWithTheGrant(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let cooling = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 3, by: "web-1")
            #expect(try await store.release("a", mark: cooling))
            let mark = try #require(try await store.acquire(.daemon("b")).mark)
            #expect(mark.kind == .coolingDown && mark.failures == 3 && mark.by == "web-1")
            let left = try #require(mark.remaining)
            #expect(left > .zero && left <= .seconds(1))
            var grant: AcquireReply.Grant?
            try await eventually("the mark passes") {
                grant = try await store.acquire(.daemon("b")).grant
                return grant != nil
            }
            #expect(grant?.failures == 3)
            #expect(try await store.look().mark == nil)
            #expect(try await store.release("b"))
            #expect(try await store.acquire(.daemon("c")).grant?.failures == 0)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aForeignReleaseSetsNoMark(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.settle()
            #expect(try await subject.store.acquire(.daemon("a")).grant != nil)
            #expect(try await subject.store.release("b", mark: Mark(kind: .finished)) == false)
            #expect(try await subject.store.look().mark == nil)
        }
    }

    // MARK: Rule S9: announcements

    @Test(arguments: StoreBackend.all)
    func announcementsRing(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            for change in ["release", "mark", "unmark"] {
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                try await store.withAnnouncements(of: .report) { bell in
                    // A ring from the connection itself is not the one that is waited for.
                    await bell.wait(until: BootClock.now() + .milliseconds(100))
                    let limit = BootClock.now() + .seconds(5)
                    async let waiting: Void = bell.wait(until: limit)
                    switch change {
                    case "release": _ = try await store.release("a")
                    case "mark": try await store.setMark(Mark(kind: .finished), on: .report, timeout: patience)
                    default: try await store.setMark(nil, on: .report, timeout: patience)
                    }
                    await waiting
                    #expect(BootClock.now() < limit, "no ring for \(change)")
                }
                _ = try await store.release("a")
                try await store.setMark(nil, on: .report, timeout: patience)
            }
        }
    }

    @Test(arguments: StoreBackend.all)
    func impossibleRequestsAreRefused(backend: StoreBackend) async throws {
        try await backend.with { subject in
            for timeout in [Duration.zero, .microseconds(999), .seconds(-1), .seconds(Int64.max)] {
                let error = await #expect(throws: LockError.self) {
                    try await subject.store.acquire(.plain("a", timeout: timeout), timeout: patience)
                }
                #expect(error?.code == .invalidArgument)
            }
            let long = await #expect(throws: LockError.self) {
                try await subject.store.acquire(.daemon("a", timeout: .seconds(31)), timeout: patience)
            }
            #expect(long?.code == .invalidArgument)
        }
    }
}
