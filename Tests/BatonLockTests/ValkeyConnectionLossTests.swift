// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

@testable import BatonValkey

/// Connections that break, and servers that stop answering.
@Suite(.timeLimit(.minutes(2)))
struct ValkeyConnectionLossTests {
    @Test
    func aFrozenServerIsAnUnknownOutcomeAndNothingIsMixedUp() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                server.freeze()
                let error = await #expect(throws: LockError.self) {
                    try await store.acquire(.daemon("late"), timeout: .milliseconds(100))
                }
                #expect(error?.code == .unknownOutcome)
                server.thaw()
                // Its late reply belongs to nobody; each of these gets its own.
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in 0..<50 {
                        group.addTask {
                            let keys = LockKeys(prefix: "test", job: "job\(number)")
                            let reply = try await store.acquire(.daemon("t\(number)", on: keys))
                            let view = try await store.look(keys)
                            #expect(reply.grant != nil && view.token == bytes("t\(number)"))
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await store.look().token == bytes("late"), "it was applied all the same")
            }
        }
    }

    @Test
    func aSilentServerIsLeftAndComesBack() async throws {
        try await withServer { server in
            var configuration = server.tcp
            configuration.requestTimeout = .milliseconds(100)
            configuration.connectTimeout = .milliseconds(200)
            try await withValkeyStore(configuration) { store in
                try await store.settle()
                server.freeze()
                await #expect(throws: LockError.self) { try await store.look(at: .report, timeout: .milliseconds(50)) }
                try await eventually("the store is seen to be gone") {
                    if case .unreachable = store.state { true } else { false }
                }
                let error = await #expect(throws: LockError.self) {
                    try await store.look(at: .report, timeout: .milliseconds(50))
                }
                #expect(error?.code == .unreachable)
                server.thaw()
                #expect(try await store.look().token == nil)
                #expect(store.state == .connected)
            }
        }
    }

    @Test
    func killedConnectionsLoseNobodysAnswer() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                try await store.settle()
                let killing = Task {  // ended below, before the server is
                    while !Task.isCancelled {
                        try server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                        try? await Task.sleep(for: .milliseconds(15))
                    }
                }
                try await withThrowingTaskGroup(of: (Int, Int).self) { group in
                    for worker in 0..<20 {
                        group.addTask {
                            let keys = LockKeys(prefix: "test", job: "job\(worker)")
                            var answers = 0
                            var unknown = 0
                            for round in 0..<50 {
                                let token = "t\(worker)-\(round)"
                                do throws(LockError) {
                                    let reply = try await store.acquire(.daemon(token, on: keys), timeout: patience)
                                    #expect(reply.reply.grant != nil)
                                    answers += 1
                                } catch {
                                    #expect(error.code == .unknownOutcome, "\(error)")
                                    unknown += 1
                                }
                                // Whatever happened: after this, the lock is free.
                                var released = false
                                while !released {
                                    let release = ReleaseRequest(keys: keys, token: bytes(token), guarding: true)
                                    released = (try? await store.release(release, timeout: patience)) != nil
                                }
                            }
                            return (answers, unknown)
                        }
                    }
                    var (answers, unknown) = (0, 0)
                    for try await counts in group {
                        answers += counts.0
                        unknown += counts.1
                    }
                    #expect(answers + unknown == 1000)
                    #expect(answers > 0)
                }
                killing.cancel()
                _ = await killing.result
            }
        }
    }

    @Test
    func requestsWaitForTheServer() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                try await store.settle()
                server.end()
                let error = await #expect(throws: LockError.self) {
                    try await store.look(at: .report, timeout: .milliseconds(100))
                }
                #expect(error?.code == .unreachable || error?.code == .unknownOutcome)
                async let look = store.look()
                try await server.start()
                #expect(try await look.token == nil)
            }
        }
    }

    @Test
    func announcementsSurviveTheConnection() async throws {
        try await withServer { server in
            try await withValkeyStore(server.tcp) { store in
                try await store.withAnnouncements(of: .report) { bell in
                    try await store.withAnnouncements(of: .report) { second in
                        #expect(try server.ask("PUBSUB", "NUMSUB", "{test}:report:lock").elements?.last == .integer(1))
                        for bell in [bell, second] { await bell.wait(until: BootClock.now() + .milliseconds(100)) }
                        try server.ask("CLIENT", "KILL", "TYPE", "pubsub")
                        // The bells ring by themselves once subscribed again…
                        let limit = BootClock.now() + .seconds(5)
                        for bell in [bell, second] { await bell.wait(until: limit) }
                        #expect(BootClock.now() < limit)
                        // …and then for announcements.
                        try server.ask("PUBLISH", "{test}:report:lock", "")
                        for bell in [bell, second] { await bell.wait(until: limit) }
                        #expect(BootClock.now() < limit)
                    }
                }
                try await eventually("nobody listens") {
                    try server.ask("PUBSUB", "NUMSUB", "{test}:report:lock").elements?.last == .integer(0)
                }
            }
        }
    }

    @Test
    func announcementsComeFromTheServerThatIsAsked() async throws {
        try await withNameThatMoves { first, second, bell in
            // Requests only.
            try first.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await ring(bell)
            try await eventually("the second announces it") { try listeners(second) == 1 }
            #expect(try listeners(first) == 0)
        }
    }

    /// Also when announcements came from there before.
    @Test
    func whoListensLooksAgainWhenAnotherServerIsAsked() async throws {
        try await withNameThatMoves { first, second, bell in
            try first.ask("CLIENT", "KILL", "TYPE", "pubsub")
            try await ring(bell)
            try await eventually("the second announces it") { try listeners(second) == 1 }
            try first.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            try await ring(bell)
        }
    }

    /// Somebody listens to a server by a name that leads to the second one by now; the first goes on.
    private func withNameThatMoves(
        _ body: (_ first: TestServer, _ second: TestServer, Doorbell) async throws -> Void
    ) async throws {
        try await withServer { first in
            try await withServer { second in
                let name = first.folder + "/name.sock"
                try FileManager.default.createSymbolicLink(atPath: name, withDestinationPath: first.socket)
                var configuration = first.unix
                configuration.address = .unixSocket(path: name)
                try await withValkeyStore(configuration) { store in
                    try await store.withAnnouncements(of: .report) { bell in
                        await bell.wait(until: BootClock.now() + .milliseconds(100))
                        try FileManager.default.removeItem(atPath: name)
                        try FileManager.default.createSymbolicLink(atPath: name, withDestinationPath: second.socket)
                        try await body(first, second, bell)
                    }
                }
            }
        }
    }

    private func ring(_ bell: Doorbell) async throws {
        let limit = BootClock.now() + .seconds(10)
        await bell.wait(until: limit)
        try #require(BootClock.now() < limit)
    }

    private func listeners(_ server: TestServer) throws -> Int64? {
        guard case .integer(let count)? = try server.ask("PUBSUB", "NUMSUB", "{test}:report:lock").elements?.last else {
            return nil
        }
        return count
    }

    @Test
    func closingEndsWhatWaits() async throws {
        let store = ValkeyStore(.init(address: .unixSocket(path: "/nowhere/at/all.sock")))
        let running = Task { try await store.run() }
        async let waiting = #expect(throws: LockError.self) { try await store.look(at: .report, timeout: .seconds(60)) }
        try await eventually("it tries") { store.state != .connecting }
        running.cancel()
        try await running.value
        let code = await waiting?.code
        #expect(code == .closed)
        let error = await #expect(throws: LockError.self) { try await store.look(at: .report, timeout: patience) }
        #expect(error?.code == .closed)
        await #expect(throws: LockError.self) { try await store.run() }
    }
}
