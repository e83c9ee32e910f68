// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Dispatch
import Glibc
import Synchronization
import Testing

@testable import BatonSQLite

/// A disk that hangs when it is told to: whoever reads the wall clock, which is done in transactions only, waits at the
/// gate. Not for ever, so that a test that waits for it fails.
private final class Gate: Sendable {
    private let isClosed = Mutex(false)
    private let opened = DispatchSemaphore(value: 0)
    private let waiting = Mutex(0)

    var waiters: Int { waiting.withLock { $0 } }

    func close() { isClosed.withLock { $0 = true } }

    func open() {
        isClosed.withLock { $0 = false }
        opened.signal()
    }

    func pass() {
        guard isClosed.withLock({ $0 }) else { return }
        waiting.withLock { $0 += 1 }
        _ = opened.wait(timeout: .now() + 20)
        waiting.withLock { $0 -= 1 }
    }

    /// A store whose disk this is.
    func store(_ bench: SQLiteBench) -> SQLiteStore {
        SQLiteStore(
            path: bench.path, maxLockTimeout: .seconds(30),
            surroundings: Surroundings(
                bootID: "boot-1", now: { BootClock.now() },
                wallMicroseconds: {
                    self.pass()
                    return 1_790_000_000_000_000
                }))
    }
}

/// Counts what it is asked.
private final class Probe: TimedRequest {
    let end: Instant
    private let counts = Mutex((carriedOut: 0, givenUp: 0))
    private let body: @Sendable () -> Void

    init(for duration: Duration, _ body: @escaping @Sendable () -> Void = {}) {
        end = BootClock.now() + duration
        self.body = body
    }

    var carriedOut: Int { counts.withLock { $0.carriedOut } }
    var givenUp: Int { counts.withLock { $0.givenUp } }

    func carryOut() {
        body()
        counts.withLock { $0.carriedOut += 1 }
    }
    func giveUp() { counts.withLock { $0.givenUp += 1 } }
}

@Suite struct SQLiteThreadTests {
    private func isTrue(_ condition: () -> Bool) async throws -> Bool {
        for _ in 0..<2000 {
            if condition() { return true }
            try await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    private func outcome(of store: SQLiteStore, within timeout: Duration) async -> LockError.Code? {
        await code { _ = try await store.acquire(.library("a"), timeout: timeout) }
    }

    @Test func aDiskThatHangsHangsNobody() async throws {
        let (bench, gate) = (SQLiteBench(), Gate())
        let store = gate.store(bench)
        _ = try await store.lookAround()
        gate.close()
        let begun = BootClock.now()
        async let running = outcome(of: store, within: .milliseconds(300))
        #expect(try await isTrue { gate.waiters == 1 })
        async let queued = outcome(of: store, within: .milliseconds(200))
        #expect(await queued == .unreachable)
        #expect(await running == .unknownOutcome)
        // One that comes later is not kept waiting for longer either.
        #expect(await outcome(of: store, within: .milliseconds(100)) == .unreachable)
        #expect(BootClock.now() - begun < .seconds(10))
        gate.open()
        #expect(try await store.acquire(.library("b")).isGranted)
    }

    @Test func aDiskThatHangsDoesNotHangTheTasksOfItsThread() async throws {
        let (bench, gate) = (SQLiteBench(), Gate())
        let store = gate.store(bench)
        _ = try await store.lookAround()
        gate.close()
        let begun = BootClock.now()
        let running = Task(executorPreference: store.executor) {
            await outcome(of: store, within: .milliseconds(300))
        }
        #expect(try await isTrue { gate.waiters == 1 })
        // One that is there already when it turns out that the disk hangs, and one that comes afterwards.
        let early = Task(executorPreference: store.executor) { true }
        #expect(await running.value == .unknownOutcome)
        #expect(await early.value)
        let late = Task(executorPreference: store.executor) {
            await outcome(of: store, within: .milliseconds(100))
        }
        #expect(await late.value == .unreachable)
        #expect(BootClock.now() - begun < .seconds(10))
        gate.open()
        #expect(try await store.acquire(.library("b")).isGranted)
    }

    @Test func aDiskThatHangsEndsALeaseInTime() async throws {
        let (bench, gate) = (SQLiteBench(), Gate())
        let store = gate.store(bench)
        let lock = try Lock(store, name: report, timeout: .seconds(1))
        let begun = BootClock.now()
        let wasCancelled = Shared(false)
        // Its renewals run on the thread that hangs; it is told nevertheless, and does not wait for them.
        let code = await code {
            try await lock.withLock { _ in
                gate.close()
                try? await Task.sleep(for: .seconds(60))
                wasCancelled.change { $0 = Task.isCancelled }
            }
        }
        #expect(wasCancelled.current)
        #expect(code != nil)
        #expect(BootClock.now() - begun < .seconds(10))
        gate.open()
        #expect(try await isTrue { gate.waiters == 0 })
    }

    @Test func aTaskOfTheThreadIsAnsweredThere() async throws {
        let bench = SQLiteBench()
        let store = bench.store()
        await withTaskExecutorPreference(store.executor) {
            let thread = pthread_self()
            for round in 0..<10 {
                let code = await code {
                    _ = try await store.acquire(.library("\(round)"))
                    _ = try await store.giveBack("\(round)", guarding: false)
                }
                #expect(code == nil)
                #expect(pthread_equal(pthread_self(), thread) != 0)
            }
        }
    }

    @Test func whatIsDoneIsNotKeptUntilItsTimeIsUp() async throws {
        let thread = DatabaseThread()
        weak var request: Probe?
        do {
            let probe = Probe(for: .seconds(3600))
            thread.carryOut(probe)
            #expect(try await isTrue { probe.carriedOut == 1 })
            request = probe
        }
        #expect(try await isTrue { request == nil })
        thread.stop()
    }

    @Test func everyTimeLimitIsKept() async throws {
        let thread = DatabaseThread()
        let hang = DispatchSemaphore(value: 0)
        let stuck = Probe(for: .milliseconds(50)) { _ = hang.wait(timeout: .now() + 20) }
        thread.carryOut(stuck)
        // The nearest limit comes last.
        let requests = (0..<1000).map { Probe(for: .milliseconds(1100 - $0)) }
        let patient = Probe(for: .seconds(3600))
        for request in requests + [patient] { thread.carryOut(request) }
        #expect(try await isTrue { stuck.givenUp == 1 })
        #expect(try await isTrue { requests.allSatisfy { $0.givenUp == 1 } })
        #expect(requests.allSatisfy { BootClock.now() >= $0.end })
        hang.signal()
        #expect(try await isTrue { patient.carriedOut == 1 })
        // What was given up before it began is not carried out; what had begun is, and is given up once.
        #expect(requests.allSatisfy { $0.carriedOut == 0 && $0.givenUp == 1 })
        #expect(stuck.carriedOut == 1)
        #expect(stuck.givenUp == 1)
        #expect(patient.givenUp == 0)
        thread.stop()
    }
}
