// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Testing

@testable import BatonTestSupport

/// Marks, announcements, and requests that make no sense.
extension StoreConformance {
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

    /// What a node remembers is put back only into a store that does not know its own past, and knows no mark.
    @Test(arguments: StoreBackend.all)
    func aMarkIsRestoredUntilTheStoreIsSettled(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            let down = Mark(kind: .heldDown, by: "web-1")
            #expect(try await store.restoreMark(down, on: .report, timeout: patience))
            #expect(try await store.look().mark == down)
            #expect(try await !store.restoreMark(Mark(kind: .paused), on: .report, timeout: patience))
            #expect(try await store.look().mark == down)
            // Also one that somebody has begun to wait for.
            _ = try await store.acquire(.daemon("a"))
            // What was cleared is not put back by who remembers it, also before the store is settled.
            try await store.setMark(nil, on: .report, timeout: patience)
            #expect(try await !store.restoreMark(down, on: .report, timeout: patience))
            #expect(try await store.look().mark == nil)
            let other = LockKeys(prefix: "baton", job: "other")
            let pause = Mark(kind: .paused, remaining: .seconds(100), failures: 2, by: "web-2")
            #expect(try await store.restoreMark(pause, on: other, timeout: patience))
            let left = try #require(try await store.look(at: other, timeout: patience).mark)
            #expect(left.kind == .paused && left.failures == 2 && left.by == "web-2")
            #expect(try #require(left.remaining) > .seconds(90))
            try await store.settle()
            // A grant uses what is left of it up.
            #expect(try await store.acquire(.daemon("a")).grant?.failures == 0)
            #expect(try await !store.restoreMark(down, on: .report, timeout: patience))
            #expect(try await store.look().mark == nil)
        }
    }

    /// The run that it is about is over: the next one may start.
    @Test(arguments: StoreBackend.all)
    func aReleaseEndsTheStopOfARun(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let ended = Mark(kind: .runEnded, remaining: .seconds(100), by: "web-1")
            try await store.setMark(ended, on: .report, timeout: patience)
            #expect(try await store.look().mark?.kind == .runEnded)
            #expect(try await store.release("a"))
            #expect(try await store.look().mark == nil)
            #expect(try await store.acquire(.daemon("b")).grant != nil)
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
            // The reply was lost: told again.
            #expect(try await store.acquire(.daemon("b")) == grant.map { .granted($0) })
            // A daemon that takes the run over is told so as well, should its first reply be lost.
            var adoption = RenewRequest.daemon("b", notAfter: nil)
            adoption.successor = .init(token: bytes("heir"), holder: bytes("held by heir"))
            #expect(try await store.renew(adoption) == .renewed(timeToLive: leaseLength))
            #expect(try await store.acquire(.daemon("heir")).grant?.failures == 3)
            #expect(try await store.look().mark == nil)
            #expect(try await store.release("heir"))
            #expect(try await store.acquire(.daemon("c")).grant?.failures == 0)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aMarkComesBeforeTheHolderButNotBeforeALostReply(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let down = Mark(kind: .heldDown, by: "web-1")
            try await store.setMark(down, on: .report, timeout: patience)
            #expect(try await store.acquire(.daemon("b")) == .marked(down))
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            #expect(try await store.renew(.daemon("a", notAfter: nil)) == .renewed(timeToLive: leaseLength))
            // What the operator said stays in force, whatever the run that ended would set.
            #expect(try await store.release("a", mark: Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1)))
            #expect(try await store.look().mark == down)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aPauseStaysInForceUnlessTheJobIsDone(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            #expect(try await store.acquire(.daemon("a")).grant != nil)
            let paused = Mark(kind: .paused, failures: 3, by: "web-1")
            try await store.setMark(paused, on: .report, timeout: patience)
            #expect(try await store.renew(.daemon("a", notAfter: nil)) == .renewed(timeToLive: leaseLength))
            #expect(try await store.release("a", mark: Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1)))
            #expect(try await store.look().mark == paused)
            #expect(try await store.acquire(.daemon("b")) == .marked(paused))
            try await store.setMark(nil, on: .report, timeout: patience)
            #expect(try await store.acquire(.daemon("b")).grant != nil)
            try await store.setMark(paused, on: .report, timeout: patience)
            let finished = Mark(kind: .finished, by: "web-2")
            #expect(try await store.release("b", mark: finished))
            #expect(try await store.look().mark == finished)
        }
    }

    @Test(arguments: StoreBackend.all)
    func aMarkIsReplacedAndOneWithoutTimeIsOver(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            try await store.setMark(Mark(kind: .heldDown, by: "web-1"), on: .report, timeout: patience)
            let finished = Mark(kind: .finished, failures: 2, by: "web-2")
            try await store.setMark(finished, on: .report, timeout: patience)
            #expect(try await store.look().mark == finished)
            let over = Mark(kind: .coolingDown, remaining: .zero, failures: 4)
            try await store.setMark(over, on: .report, timeout: patience)
            #expect(try await store.look().mark == nil)
            // Who does not heed marks leaves it for who does.
            var heedless = AcquireRequest.daemon("a")
            heedless.heedsMarks = false
            #expect(try await store.acquire(heedless).grant?.failures == 0)
            #expect(try await store.release("a"))
            #expect(try await store.acquire(.daemon("b")).grant?.failures == 4)
        }
    }

    @Test(arguments: StoreBackend.all)
    func failuresAreNotInheritedFromAnothersRecord(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let store = subject.store
            try await store.settle()
            let over = Mark(kind: .coolingDown, remaining: .zero, failures: 4)
            try await store.setMark(over, on: .report, timeout: patience)
            #expect(try await store.acquire(.daemon("a")).grant?.failures == 4)
            // Its record stays, without the guard.
            #expect(try await store.release("a", guarding: false))
            #expect(try await store.acquire(.plain("b")).grant != nil)
            #expect(try await store.acquire(.daemon("b")).grant?.failures == 0)
            #expect(try await store.release("b", guarding: false))
            try await store.setMark(over, on: .report, timeout: patience)
            #expect(try await store.acquire(.daemon("b")).grant?.failures == 4)
            #expect(try await store.release("b", guarding: false))
            #expect(try await store.acquire(.plain("c")).grant != nil)
            #expect(try await store.renew(.daemon("c", notAfter: nil)) == .renewed(timeToLive: leaseLength))
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
