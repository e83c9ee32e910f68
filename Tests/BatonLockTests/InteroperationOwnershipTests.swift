// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Testing

@testable import BatonTestSupport

/// What Swift and the real `valkey.lock.Lock` see of each other's locks: owners, tokens, times, names.
@Suite(.timeLimit(.minutes(2)))
struct InteroperationOwnershipTests {
    // MARK: Owners

    @Test func whatDoesNotHoldTheLockReleasesNothing() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await swift.acquire())
            #expect(try await python.raised { try await $0.release() } == "LockError")
            #expect(try await python.raised { _ = try await $0.extend(1) } == "LockError")
            #expect(try await python.raised { _ = try await $0.reacquire() } == "LockError")
            #expect(try await swift.owned())
            try await swift.release()
            #expect(try await python.acquire())
            #expect(await code { try await swift.release() } == .notHeld)
            #expect(await code { try await swift.extend(.seconds(1)) } == .notHeld)
            #expect(await code { try await swift.reacquire() } == .notHeld)
            #expect(try await python.owned())
            try await python.release()
        }
    }

    @Test func aLockThatPythonTookOverIsNoLongerSwifts() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await swift.acquire())
            try sides.server.ask("DEL", report)
            #expect(try await python.acquire(["blocking": false]))
            #expect(try await swift.owned() == false)
            #expect(await code { try await swift.extend(.seconds(1)) } == .notOwned)
            #expect(await code { try await swift.reacquire() } == .notOwned)
            #expect(await code { try await swift.release() } == .notOwned)
            #expect(try await python.owned(), "nothing was done to it")
            #expect(try #require(try sides.timeToLive()) <= .seconds(20))
            try await python.release()
        }
    }

    @Test func aLockThatSwiftTookOverIsNoLongerPythons() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await python.acquire())
            try sides.server.ask("DEL", report)
            #expect(try await swift.acquire(.no))
            #expect(try await python.owned() == false)
            #expect(try await python.raised { _ = try await $0.extend(60) } == "LockNotOwnedError")
            #expect(try await python.raised { _ = try await $0.reacquire() } == "LockNotOwnedError")
            #expect(try await python.raised { try await $0.release() } == "LockNotOwnedError")
            #expect(try await swift.owned(), "nothing was done to it")
            #expect(try #require(try sides.timeToLive()) <= leaseLength)
            try await swift.release()
        }
    }

    @Test func aBodyWhoseLockPythonTookOverIsCancelled() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 60])
            let swift = try Lock(sides.store, name: report, timeout: .seconds(1))
            let wasCancelled = Shared(false)
            let ended = await code {
                try await swift.withLock { _ in
                    try sides.server.ask("DEL", report)
                    #expect(try await python.acquire(["blocking": false]))
                    try? await Task.sleep(for: .seconds(60))  // only cancellation ends it
                    wasCancelled.change { $0 = Task.isCancelled }
                }
            }
            #expect(ended == .notOwned && wasCancelled.current)
            #expect(try await python.owned())
        }
    }

    // MARK: Tokens

    @Test(arguments: [bytes("of my own"), [0, 255, 10, 200]])
    func oneTokenIsNotGrantedToBoth(token: Bytes) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await python.acquire(["token": .bytes(token)]))
            #expect(try await swift.acquire(.no, token: token) == false)
            #expect(try await swift.owned() == false)
            try await python.release()
            #expect(try await swift.acquire(.no, token: token))
            #expect(try await python.acquire(["token": .bytes(token), "blocking": false]) == false)
            #expect(try await python.owned() == false)
            try await swift.release()
        }
    }

    /// A lock is its token: whoever has it may do what the holder may.
    @Test(arguments: [Bytes?.none, [0, 255, 10, 200]])
    func pythonGoesOnWithTheTokenThatSwiftSet(token: Bytes?) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 60])
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await swift.acquire(.no, token: token))
            let held = try #require(try await sides.store.token())
            try await python.adopt(held)
            #expect(try await python.owned())
            #expect(try await python.reacquire())
            #expect(try #require(try sides.timeToLive()) > .seconds(30))
            #expect(try await swift.owned(), "it is the same lock")
            try await python.release()
            #expect(try await swift.owned() == false)
            #expect(await code { try await swift.release() } == .notOwned)
        }
    }

    /// `Lock` takes over no token that it did not acquire; what is below it does, as a daemon that adopts a run.
    @Test(arguments: [Bytes?.none, [0, 255, 10, 200]])
    func swiftGoesOnWithTheTokenThatPythonSet(token: Bytes?) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            #expect(try await python.acquire(token.map { ["token": .bytes($0)] } ?? [:]))
            let held = try #require(try await python.token())
            #expect(try await sides.store.token() == held)
            let renewal = RenewRequest(keys: reportKeys, token: held, change: .reset(.seconds(60)))
            #expect(try await sides.store.renew(renewal) == .renewed(timeToLive: .seconds(60)))
            #expect(try await python.owned(), "it is the same lock")
            let release = ReleaseRequest(keys: reportKeys, token: held, guarding: false)
            #expect(try await sides.store.release(release, timeout: patience))
            #expect(try await python.raised { try await $0.release() } == "LockNotOwnedError")
        }
    }

    // MARK: Time

    @Test func whatSwiftDoesToTheTimeIsSeenByPython() async throws {
        try await withBothSides { sides in
            let swift = try Lock(sides.store, name: report, timeout: .milliseconds(30_500))
            func left(_ range: ClosedRange<Double>) async throws {
                let left = try await sides.python.timeToLive()
                #expect(range.contains(try #require(left)), "\(String(describing: left))")
            }
            #expect(try await swift.acquire())
            try await left(20...30.5)
            #expect(try await swift.extend(.milliseconds(40_250)))
            try await left(60...70.75)
            #expect(try await swift.extend(.milliseconds(15_500), replaceTTL: true))
            try await left(5...15.5)
            #expect(try await swift.reacquire())
            try await left(20...30.5)
            try await swift.release()
        }
    }

    @Test(arguments: [false, true])
    func whatPythonDoesToTheTimeIsSeenBySwift(asynchronous: Bool) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 30.5], asynchronous: asynchronous)
            func left(_ range: ClosedRange<Int64>) async throws {
                let left = try #require(try await sides.store.timeToLive())
                #expect(left > .milliseconds(range.lowerBound) && left <= .milliseconds(range.upperBound))
            }
            #expect(try await python.acquire())
            try await left(20_000...30_500)
            #expect(try await python.extend(40.25))
            try await left(60_000...70_750)
            #expect(try await python.extend(15.5, replaceTTL: true))
            try await left(5_000...15_500)
            #expect(try await python.reacquire())
            try await left(20_000...30_500)
            try await python.release()
        }
    }

    @Test func aLockWithoutATimeoutStays() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock([:])
            let swift = try Lock(sides.store, name: report)
            #expect(try await python.acquire())
            #expect(try await sides.store.token() != nil)
            #expect(try await sides.store.timeToLive() == nil)
            #expect(try await swift.acquire(.no) == false)
            try await python.release()
            #expect(try await swift.acquire(.no))
            #expect(try await sides.python.timeToLive() == nil)
            #expect(try await python.acquire(["blocking": false]) == false)
            try await swift.release()
        }
    }

    // MARK: Names

    @Test func aNameIsTheSameOnBothSides() async throws {
        try await withBothSides { sides in
            for name in [
                "{app}:report", "a report  with spaces", "Bericht für Zürich ☂", "{", "a\nb\u{0}c",
                String(repeating: "n", count: 512),
            ] {
                let python = try await sides.python.lock(["timeout": 20], name: .text(name))
                let other = try await sides.python.lock(["timeout": 20], name: .text(name + "!"))
                let swift = try Lock(sides.store, name: name, timeout: leaseLength)
                #expect(try await swift.acquire())
                #expect(try await python.acquire(["blocking": false]) == false, "\(name)")
                #expect(try await other.acquire(["blocking": false]), "\(name)")
                try await swift.release()
                #expect(try await python.acquire(["blocking": false]), "\(name)")
                #expect(try await swift.acquire(.no) == false, "\(name)")
            }
        }
    }

    @Test func aNameNeedNotBeText() async throws {
        try await withBothSides { sides in
            let name: Bytes = [0, 255, 58, 10, 200]
            let keys = LockKeys(name: name)
            let python = try await sides.python.lock(["timeout": 20], name: .bytes(name))
            #expect(try await python.acquire())
            #expect(try await sides.store.acquire(.plain("swift", on: keys)).heldBy != nil)
            try await python.release()
            #expect(try await sides.store.acquire(.plain("swift", on: keys)).grant != nil)
            #expect(try await python.acquire(["blocking": false]) == false)
            #expect(try await sides.store.release("swift", of: keys, guarding: false))
            #expect(try await python.acquire(["blocking": false]))
        }
    }
}
