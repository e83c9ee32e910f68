// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Waiting for a lock that somebody else has.
@Suite(.timeLimit(.minutes(2)))
struct LockWaitingTests {
    @Test(arguments: StoreBackend.forLocks)
    func aWaitIsAsLongAsItWasSaid(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.overwrite(with: "other")
            func waited(_ lock: Lock, _ wait: Lock.Wait? = nil) async throws -> Duration {
                let start = ContinuousClock.now
                #expect(try await lock.acquire(wait) == false)
                return .now - start
            }
            let brief = Duration.milliseconds(200)
            let impatient = try Lock(subject.store, name: report, sleep: .seconds(60), blockingTimeout: brief)
            #expect(try await waited(impatient) >= brief)
            #expect(try await waited(impatient, .no) < .seconds(30))
            #expect(try await waited(impatient, .atMost(.seconds(-1))) < .seconds(30))
            let unwilling = try Lock(subject.store, name: report, blocking: false, blockingTimeout: .seconds(600))
            #expect(try await waited(unwilling) < .seconds(60))
            #expect(try await waited(unwilling, .atMost(brief)) >= brief)
            #expect(await code { try await unwilling.withLock { _ in } } == .notAcquired)
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aReleaseWakesAWaiter(backend: StoreBackend) async throws {
        try await backend.with { subject in
            // Without the announcement it would take ten minutes.
            let holder = try Lock(subject.store, name: report, timeout: .seconds(600))
            let waiter = try Lock(
                subject.store, name: report, timeout: .seconds(600), sleep: .seconds(600), blockingTimeout: .seconds(1))
            #expect(try await holder.acquire())
            async let acquired = waiter.acquire(.forever)
            try await Task.sleep(for: .milliseconds(200))
            let released = ContinuousClock.now
            try await holder.release()
            #expect(try await acquired)
            #expect(.now - released < .seconds(10))
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func aQuietReleaseIsNoticedWithinTheSleep(backend: StoreBackend) async throws {
        try await backend.with { subject in
            try await subject.store.overwrite(with: "foreign", timeout: nil)
            let waiter = try Lock(subject.store, name: report, sleep: .milliseconds(50))
            async let acquired = waiter.acquire()
            try await Task.sleep(for: .milliseconds(120))
            try await subject.store.releaseQuietly(subject)
            #expect(try await acquired)
        }
    }

    @Test func aForeignClientAndThisOneExcludeEachOther() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                let lock = try Lock(store, name: report, timeout: leaseLength)
                try server.ask("SET", report, "python", "NX", "PX", "20000")
                #expect(try await lock.acquire(.no) == false)
                #expect(try await lock.locked())
                try server.ask("DEL", report)
                #expect(try await lock.acquire(.no))
                #expect(try server.ask("SET", report, "python", "NX", "PX", "20000") == .null)
                try await lock.release()
                #expect(try server.ask("SET", report, "python", "NX", "PX", "20000") != .null)
                #expect(await code { try await lock.release() } == .notHeld)
                // A key of another type is an error that says so, not a lock.
                try server.ask("DEL", report)
                try server.ask("LPUSH", report, "x")
                #expect(await code { _ = try await lock.acquire(.no) } == .refused)
                #expect(await code { _ = try await lock.locked() } == .refused)
            }
        }
    }

    @Test(arguments: StoreBackend.forLocks)
    func ofManyTasksEachGetsTheLockAndNeverTwoAtOnce(backend: StoreBackend) async throws {
        try await backend.with { subject in
            let inside = Shared(0)
            let most = Shared(0)
            let fences = Shared<[Int64]>([])
            // Each release wakes every waiter; a file takes their questions one by one.
            let tasks = backend.name == "an SQLite file" ? 20 : 100
            let shared = try Lock(subject.store, name: report, timeout: .seconds(60))
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<tasks {
                    group.addTask {
                        // Half of them share one object.
                        let lock =
                            number % 2 == 0
                            ? shared : try Lock(subject.store, name: report, timeout: .seconds(60))
                        try await lock.withLock { lease in
                            inside.change { $0 += 1 }
                            most.change { $0 = max($0, inside.current) }
                            fences.change { $0.append(lease.fence ?? 0) }
                            await Task.yield()
                            inside.change { $0 -= 1 }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(most.current == 1)
            #expect(fences.current.count == tasks)
            #expect(zip(fences.current, fences.current.dropFirst()).allSatisfy { $0 < $1 })
        }
    }
}
