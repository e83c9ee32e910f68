// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import ServiceLifecycle
import Synchronization
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// What the articles show works.
@Suite(.timeLimit(.minutes(2)))
struct ArticleCodeTests {
    private func withStore(_ body: (ValkeyStore, TestServer) async throws -> Void) async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in try await body(store, server) }
        }
    }

    // MARK: The pages of the modules, and the doc comments

    @Test func theModulesExamplesHoldTheLock() async throws {
        try await withStore { store, server in
            let fences = Shared<[Int64?]>([])
            try await withReport(store) { fence in fences.change { $0.append(fence) } }
            try await exampleOfLock(store, "text") { text, fence in
                let held = try server.ask("EXISTS", "report")
                #expect(text == "text" && held == .integer(1))
                fences.change { $0.append(fence) }
            }
            #expect(try await underLock(server.tcp) { 7 } == 7)
            #expect(fences.current.compactMap(\.self).count == 2)
            #expect(try server.ask("EXISTS", "report") == .integer(0))
        }
    }

    @Test func aConfigurationIsFilledInByHand() {
        let configuration = distantServer(authorities: "/etc/authorities.pem", password: "secret")
        #expect("\(configuration)" == "valkeys://locks.example.org:6379/0")
    }

    // MARK: Getting started

    @Test func theServiceHoldsItsLockAndGivesItBack() async throws {
        try await withServer { server in
            let calls = Shared(0)
            let group = try reporting(store: "unix://\(server.socket)") { fence in
                #expect(fence != nil)
                calls.change { $0 += 1 }
                // The first time, something goes wrong.
                if calls.current == 1 { throw BodyFailed() }
                try await Task.sleep(for: .seconds(600))
            }
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                try await eventually("it competes again") { calls.current == 2 }
                #expect(try server.ask("EXISTS", "report") == .integer(1))
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            #expect(try server.ask("EXISTS", "report") == .integer(0))
        }
    }

    @Test func oneAttempt() async throws {
        try await withStore { store, server in
            let lock = try Lock(store, name: report, timeout: leaseLength)
            let calls = Counter()
            #expect(try await writeUnlessBusy(lock) { _ = calls.next() })
            try server.ask("SET", report, "another")
            #expect(try await writeUnlessBusy(lock) { _ = calls.next() } == false)
            #expect(calls.next() == 2)
        }
    }

    @Test func byHand() async throws {
        try await withStore { store, server in
            let lock = try Lock(store, name: report, timeout: leaseLength)
            let copied = Shared<[String]>([])
            #expect(try await copyPages(["a", "b"], under: lock) { page in copied.change { $0.append(page) } })
            #expect(copied.current == ["a", "b"])
            await #expect(throws: BodyFailed.self) {
                try await copyPages(["a"], under: lock) { _ in throw BodyFailed() }
            }
            #expect(try server.ask("EXISTS", report) == .integer(0))
        }
    }

    @Test func workThatIsStoppedByAnother() async throws {
        /// Runs until it is stopped, whatever becomes of its task.
        final class Press: Machine {
            private let bell = Doorbell()
            let state = Mutex((isRunning: false, isStopped: false))

            func run() async throws {
                state.withLock { $0.isRunning = true }
                while !state.withLock({ $0.isStopped }) { await bell.wait(until: .distantFuture) }
            }
            func stop() {
                state.withLock { $0.isStopped = true }
                bell.ring()
            }
        }
        try await withStore { store, server in
            let lock = try Lock(store, name: report, timeout: .seconds(1))
            let press = Press()
            async let ended = code { try await runMachine(press, under: lock) }
            try await eventually("it runs") { press.state.withLock { $0.isRunning } }
            try server.ask("SET", report, "thief")
            #expect(await ended == .notOwned)
        }
    }

    @Test func errorsAreExplained() {
        #expect(explain(LockError(.notOwned, "…")).contains("lost"))
        #expect(explain(LockError(.closed, lock: "a", "shut")) == "a: shut")
    }

    // MARK: Promises

    @Test func theArchiveRefusesAHolderThatIsLate() async throws {
        let archive = Archive()
        try await archive.add("a", fence: 7)
        try await archive.add("b", fence: 7)
        try await archive.add("c", fence: 9)
        await #expect(throws: Archive.IsLate.self) { try await archive.add("d", fence: 8) }
        #expect(await archive.reports == ["a", "b", "c"])
    }

    // MARK: Coming from valkey-py

    @Test func whatWasWrittenInPython() async throws {
        try await withStore { store, server in
            let calls = Counter()
            try await reportOnce(store: "unix://\(server.socket)") { _ = calls.next() }
            let lock = try Lock(store, name: report, timeout: .seconds(30))
            try await writeAsWorker7(lock) {
                let (token, left) = (try server.ask("GET", report), try server.number("PTTL", report))
                #expect(token == .string(bytes("worker-7")) && left ?? 0 > 60_000)
                _ = calls.next()
            }
            #expect(calls.next() == 3)
            #expect(await code { try await writeAsWorker7(lock) { throw LockError(.closed, "…") } } == .closed)
            #expect(try server.ask("EXISTS", report) == .integer(0))

            try await releaseOrUndo(lock) { _ = calls.next() }
            #expect(calls.next() == 4, "nothing was held")
            try await lock.acquire()
            try server.ask("SET", report, "thief")
            try await releaseOrUndo(lock) { _ = calls.next() }
            #expect(calls.next() == 6)
            try server.ask("DEL", report)

            let written = Shared<[String]>([])
            let inside = Shared(0)
            try await writeEach((0..<20).map { "\($0)" }, store) { page in
                inside.change { $0 += 1 }
                #expect(inside.current == 1)
                await Task.yield()
                written.change { $0.append(page) }
                inside.change { $0 -= 1 }
            }
            #expect(written.current.count == 20)
        }
    }
}
