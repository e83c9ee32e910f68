// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Testing

@testable import BatonTestSupport

/// What ``LockStore`` says of every store: times, errors, and who is told what.
extension StoreConformance {
    @Test(arguments: StoreBackend.all)
    func repliesAreStampedWithTheServersTime(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            var last: Int64 = 0
            for token in ["a", "b"] {
                let plain = try await store.acquire(.plain(token), timeout: patience).serverTime
                let guarded = try await store.acquire(.daemon(token), timeout: patience).serverTime
                let renewal = RenewRequest(keys: .report, token: bytes(token), change: .reset(leaseLength))
                let renewed = try await store.renew(renewal, timeout: patience).serverTime
                #expect(last < plain && plain <= guarded && guarded <= renewed)
                last = renewed
            }
            // Never later than it really is: the next reply can't be earlier.
            let estimate = try #require(store.serverTime())
            #expect(estimate >= last)
            #expect(try await store.acquire(.plain("c"), timeout: patience).serverTime >= estimate)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aLookChangesNothing(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            #expect(try await store.look() == LockView())
            let nonce = try await store.nonce()
            #expect(try await store.look() == LockView())
            #expect(try await store.nonce() == nonce)
            #expect(try await store.acquire(.daemon("a", nonce: nonce)).grant != nil)
            let (first, second) = (try await store.look(), try await store.look())
            #expect(first.with(\.timeToLive, nil) == second.with(\.timeToLive, nil))
            #expect(first.holder == bytes("held by a") && first.holderToken == bytes("a") && first.fence > 0)
        }
    }

    @Test(arguments: StoreBackend.all)
    func whatCanNeverWorkIsNotEvenSent(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let (tooHigh, forEver) = (AcquireRequest.FenceRequest.largest + 1, Duration.seconds(Int64.max))
            for floor in [-1, tooHigh] {
                let request = AcquireRequest.daemon("a", floor: floor)
                #expect(await code { try await store.acquire(request) } == .invalidArgument, "floor \(floor)")
            }
            var unlimited = AcquireRequest.daemon("a")
            unlimited.timeout = nil
            #expect(await code { try await store.acquire(unlimited) } == .invalidArgument)
            #expect(await code { try await store.acquire(.plain("")) } == .invalidArgument)
            #expect(await code { try await store.release("") } == .invalidArgument)
            let changes: [RenewRequest.Change] = [
                .reset(.zero), .reset(.microseconds(999)), .reset(forEver), .add(forEver), .add(.zero - forEver),
            ]
            for change in changes {
                let request = RenewRequest(keys: .report, token: bytes("a"), change: change)
                #expect(await code { try await store.renew(request) } == .invalidArgument, "\(change)")
            }
            for fence in [-1, tooHigh] {
                let request = RenewRequest.daemon("a", notAfter: nil, fence: fence)
                #expect(await code { try await store.renew(request) } == .invalidArgument, "fence \(fence)")
            }
            var adoption = RenewRequest.daemon("a", notAfter: nil)
            adoption.successor = .init(token: [], holder: [])
            #expect(await code { try await store.renew(adoption) } == .invalidArgument)
            let view = try await store.look()
            #expect(view == LockView())
        }
    }

    @Test(arguments: StoreBackend.all)
    func aRefusedRequestChangesNothing(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            // Nothing would be left, of a lock that a new store does not know.
            let renewal = try await RenewRequest.daemon(
                "a", change: .add(.seconds(-20)), notAfter: store.timeAfterALook() + 10_000_000)
            #expect(await code { try await store.renew(renewal) } == .refused)
            // The client with another max_lock_timeout may still be the first.
            var request = AcquireRequest.daemon("a")
            request.guarding?.maxLockTimeout = .seconds(60)
            guard case .unsettled(_, let wait) = try await store.acquire(request) else {
                throw TestFailure("granted by a store that knows nothing")
            }
            #expect(wait == .seconds(60))
        }
    }

    @Test(arguments: StoreBackend.all)
    func locksDoNotKnowEachOther(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let other = LockKeys(name: bytes("other"))
            #expect(try await store.acquire(.plain("a")).grant != nil)
            #expect(try await store.acquire(.plain("b", on: other)).grant != nil)
            #expect(try await store.release("a", of: other, guarding: false) == false)
            try await store.setMark(Mark(kind: .finished), on: other, timeout: patience)
            #expect(try await store.release("a", guarding: false))
            #expect(try await store.look() == LockView())
            #expect(try await store.look(other).token == bytes("b"))
        }
    }

    @Test(arguments: StoreBackend.all)
    func aPlainRequestSeesNothingButTheLock(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let fence = try #require(try await store.acquire(.daemon("a")).grant?.fence)
            let seen = try #require(try await store.acquire(.plain("b")).heldBy)
            #expect(seen == Sighting(timeToLive: seen.timeToLive))
            // One that asks for a fence is told the last one, but of the owner nothing without the guard.
            var fenced = AcquireRequest.plain("b")
            fenced.fence = .init()
            let more = try #require(try await store.acquire(fenced).heldBy)
            #expect(more == Sighting(timeToLive: more.timeToLive, fence: fence))
        }
    }

    @Test(arguments: StoreBackend.all)
    func aForeignReleaseTellsNobody(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            #expect(try await store.acquire(.plain("a")).grant != nil)
            try await store.withAnnouncements(of: .report) { bell in
                // The connection's own ring, where there is one.
                await bell.wait(until: BootClock.now() + .milliseconds(100))
                let wasOurs = try await store.release("b", guarding: false)
                #expect(!wasOurs)
                let silence = BootClock.now() + .milliseconds(100)
                await bell.wait(until: silence)
                #expect(BootClock.now() >= silence, "a release that was not carried out was announced")
            }
        }
    }
}

extension LockStore {
    /// The server's time, which some stores know only after a reply.
    func timeAfterALook() async throws -> Int64 {
        _ = try await look()
        return try #require(serverTime())
    }
}
