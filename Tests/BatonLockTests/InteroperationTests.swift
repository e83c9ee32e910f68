// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport

/// One lock, taken in turn by Swift and by the real `valkey.lock.Lock`: who gets it, and when.
@Suite(.timeLimit(.minutes(2)))
struct InteroperationTests {
    // MARK: Exclusion

    @Test(arguments: [false, true])
    func aLockThatPythonHoldsIsNotGrantedToSwift(asynchronous: Bool) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20], asynchronous: asynchronous)
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await python.acquire())
            #expect(try await swift.acquire(.no) == false)
            #expect(try await swift.acquire(.atMost(.milliseconds(150))) == false)
            #expect(try await swift.locked())
            #expect(try await swift.owned() == false)
            #expect(swift.lease == nil)
            #expect(try await python.owned())
            try await python.release()
            #expect(try await swift.locked() == false)
            #expect(try await swift.acquire(.no))
            try await swift.release()
        }
    }

    @Test(arguments: [false, true])
    func aLockThatSwiftHoldsIsNotGrantedToPython(asynchronous: Bool) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20], asynchronous: asynchronous)
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            #expect(try await swift.acquire())
            #expect(try await python.acquire(["blocking": false]) == false)
            #expect(try await python.acquire(["blocking_timeout": 0.25]) == false)
            #expect(try await python.locked())
            #expect(try await python.owned() == false)
            #expect(try await python.token() == nil)
            #expect(try await swift.owned())
            try await swift.release()
            #expect(try await python.locked() == false)
            #expect(try await python.acquire(["blocking": false]))
            try await python.release()
        }
    }

    /// A lock that outlives the loss of its store's data is the same to Python.
    @Test func aGuardedLockAndPythonExcludeEachOther() async throws {
        try await withBothSides { sides in
            let longest = Duration.seconds(2)
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(
                sides.store, name: report, timeout: longest, guarded: true, maxLockTimeout: longest)
            #expect(try await swift.acquire(), "after the first use's wait")
            #expect(try await python.acquire(["blocking": false]) == false)
            try await swift.release()
            #expect(try await python.acquire(["blocking": false]))
            #expect(try await swift.acquire(.no) == false)
            try await python.release()
            #expect(try await swift.acquire(.no))
            try await swift.release()
        }
    }

    @Test func theHeartbeatKeepsPythonOut() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock([:])
            let timeout = Duration.seconds(1)
            let swift = try Lock(sides.store, name: report, timeout: timeout)
            try await swift.withLock { _ in
                let end = ContinuousClock.now + timeout * 3
                while ContinuousClock.now < end {
                    let isAcquired = try await python.acquire(["blocking_timeout": 0.3])
                    #expect(!isAcquired)
                }
            }
            #expect(try await python.acquire(["blocking": false]))
        }
    }

    // MARK: Hand-over

    @Test(arguments: [false, true])
    func swiftFollowsAPythonHolderWithinItsSleep(asynchronous: Bool) async throws {
        try await withBothSides { sides in
            let sleep = Duration.milliseconds(200)
            let python = try await sides.python.lock(["timeout": 600], asynchronous: asynchronous)
            let swift = try Lock(sides.store, name: report, timeout: .seconds(600), sleep: sleep)
            var late: [Duration] = []
            for _ in 0..<5 {
                #expect(try await python.acquire(["blocking": false]))
                async let acquired = acquiredAt(swift)
                // It waits by then: once more than its sleep, so that the first attempt is not what gets the lock.
                try await Task.sleep(for: sleep * 1.5)
                try await python.release()
                let released = ContinuousClock.now
                late.append(try await acquired - released)
                #expect(try await python.locked())
                try await swift.release()
            }
            // The median, on a machine that does other things as well.
            #expect(late.sorted()[2] <= sleep + .milliseconds(150), "\(late)")
        }
    }

    @Test(arguments: [false, true])
    func pythonFollowsASwiftHolderWithinItsSleep(asynchronous: Bool) async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 600, "sleep": 0.2], asynchronous: asynchronous)
            let swift = try Lock(sides.store, name: report, timeout: .seconds(600))
            var late: [Duration] = []
            for _ in 0..<5 {
                #expect(try await swift.acquire(.no))
                async let acquired = acquiredAt(python)
                try await Task.sleep(for: .milliseconds(300))
                try await swift.release()
                let released = ContinuousClock.now
                late.append(try await acquired - released)
                #expect(try await swift.locked())
                try await python.release()
            }
            #expect(late.sorted()[2] <= .milliseconds(350), "\(late)")
        }
    }

    @Test func swiftFollowsAPythonProcessThatDied() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 1.5])
            // Nothing is announced, and the sleep is long: it is the lock's end that is waited for.
            let swift = try Lock(sides.store, name: report, timeout: leaseLength, sleep: .seconds(600))
            #expect(try await python.acquire())
            let acquired = ContinuousClock.now
            sides.python.kill()
            #expect(try await swift.acquire())
            #expect(.now - acquired > .seconds(1) && .now - acquired < .seconds(10))
            try await swift.release()
        }
    }

    @Test func pythonFollowsASwiftHolderThatForgot() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(sides.store, name: report, timeout: .seconds(1))
            #expect(try await swift.acquire())
            let validUntil = try #require(swift.lease?.validUntil)
            #expect(try await python.acquire())
            #expect(validUntil < .now, "the lease was over before")
            #expect(try await swift.owned() == false)
            #expect(await code { try await swift.release() } == .notOwned)
            try await python.release()
        }
    }

    private func acquiredAt(_ lock: Lock) async throws -> ContinuousClock.Instant {
        #expect(try await lock.acquire(.atMost(.seconds(30))))
        return .now
    }

    private func acquiredAt(_ lock: PythonLock) async throws -> ContinuousClock.Instant {
        #expect(try await lock.acquire())
        return .now
    }
}
