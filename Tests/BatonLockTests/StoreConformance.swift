// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
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
            let after = try #require(
                try await store.acquire(.daemon("after", nonce: nonce, floor: high + 1)).grant?.fence)
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

    /// A failover to a lagging replica, whose clock is behind: the last grants are forgotten, but not by their nodes.
    @Test(arguments: StoreBackend.all)
    func whatOneWhoWaitsKnowsOfFencesCountsForWhoIsGrantedFirst(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            var fence = try #require(try await store.acquire(.daemon("a")).grant?.fence)
            #expect(try await store.release("a"))
            fence += 1_000_000_000_000
            try await subject.forgetEverything()
            #expect(try await store.acquire(.daemon("a", floor: fence)).isUnsettled)
            #expect(try await store.acquire(.daemon("other", floor: 1)).isUnsettled)
            #expect(try await store.acquire(.daemon("b", nonce: store.nonce())).grant?.fence == fence + 1)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aFenceIsGrantedOnlyWhenAskedForAndNeverBelowWhatIsKnown(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            var request = AcquireRequest.daemon("a")
            request.fence = nil
            #expect(try await store.acquire(request).grant == .init(fence: nil))
            #expect(try await store.look().fence == 0)
            request.fence = .init()
            let fence = try #require(try await store.acquire(request).grant?.fence)
            #expect(try await store.look().fence == fence)
            // The reply was lost, and meanwhile a larger fence became known.
            request.fence = .init(floor: fence + 1_000_000_000)
            #expect(try await store.acquire(request).grant?.fence == fence + 1_000_000_001)
            // A renewal never lowers it.
            #expect(
                try await store.renew(.daemon("a", notAfter: nil, fence: fence)) == .renewed(timeToLive: leaseLength))
            #expect(try await store.look().fence == fence + 1_000_000_001)
        }
    }

    @Test(arguments: StoreBackend.all)
    func afterTheLargestFenceNothingIsGranted(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let largest = AcquireRequest.FenceRequest.largest
            #expect(try await store.acquire(.daemon("a", floor: largest - 1)).grant?.fence == largest)
            #expect(try await store.acquire(.daemon("a")).grant?.fence == largest, "the reply was lost")
            #expect(
                try await store.renew(.daemon("a", notAfter: nil, fence: largest)) == .renewed(timeToLive: leaseLength))
            #expect(try await store.release("a"))
            let before = try await store.look()
            for floor in [0, largest] {
                #expect(await code { try await store.acquire(.daemon("b", floor: floor)) } == .refused)
            }
            #expect(try await store.look() == before)
            #expect(before.fence == largest)
        }
    }

    // MARK: Holder records

    @Test(arguments: StoreBackend.all)
    func aRenewalWritesTheHoldersRecordOnlyWhereThereIsNone(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.plain("a")).grant != nil)
            #expect(try await store.look().holder == nil)
            let renewal = RenewRequest.daemon("a", notAfter: nil)
            #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
            #expect(try await store.look().holder == bytes("held by a"))
            let other = renewal.with(\.holder, bytes("something else"))
            #expect(try await store.renew(other) == .renewed(timeToLive: leaseLength))
            #expect(try await store.look().holder == bytes("held by a"))
            // A grant without a record leaves the old one, which its token tells from the new holder's.
            #expect(try await store.release("a", guarding: false))
            #expect(try await store.acquire(.plain("b")).grant != nil)
            let view = try await store.look()
            #expect(view.token == bytes("b") && view.holderToken == bytes("a"))
        }
    }
}
