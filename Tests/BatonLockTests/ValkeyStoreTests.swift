// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

@testable import BatonValkey

/// What only a server can do to a store.
@Suite(.timeLimit(.minutes(2)))
struct ValkeyStoreTests {
    // MARK: Wire compatibility

    @Test
    func aLockOfValkeyPyIsHeld() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                try server.ask("SET", "{test}:report:lock", "python", "NX", "PX", "20000")
                let seen = try #require(try await store.acquire(.daemon("a")).heldBy)
                #expect(seen.owner == nil)
                #expect(try #require(seen.timeToLive) > .seconds(10))
                #expect(try await store.acquire(.plain("a")).heldBy != nil)
                #expect(try await store.release("a") == false)
                #expect(try server.ask("GET", "{test}:report:lock") == .string(bytes("python")))
            }
        }
    }

    @Test
    func valkeyPyReleasesAndExtendsOurs() async throws {
        // The effect of the scripts of valkey.lock.Lock.
        let compareAndDelete = "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) end return 0"
        let compareAndExpire = "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('pexpire',KEYS[1],ARGV[2]) end return 0"
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                let keys = LockKeys(name: bytes("report"))
                _ = try #require(try await store.acquire(.plain("a", on: keys)).grant)
                #expect(try server.ask("DBSIZE") == .integer(1), "a plain lock is one key")
                #expect(try server.ask("SET", "report", "python", "NX", "PX", "1000") == .null)
                #expect(try server.ask("EVAL", compareAndExpire, "1", "report", "a", "90000") == .integer(1))
                #expect(try #require(try await store.look(keys).timeToLive) > .seconds(60))
                #expect(try server.ask("EVAL", compareAndDelete, "1", "report", "python") == .integer(0))
                #expect(try server.ask("EVAL", compareAndDelete, "1", "report", "a") == .integer(1))
                #expect(try await store.release("a", of: keys, guarding: false) == false)
            }
        }
    }

    @Test
    func digestsAreTheServers() async throws {
        try await withServer { server in
            for script in [Script.acquire, .renew, .release, .look, .mark] {
                let digest = try server.ask("SCRIPT", "LOAD", String(decoding: script.text, as: UTF8.self))
                #expect(digest == .string(script.digest))
            }
        }
        #expect(sha1(Array("abc".utf8)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(sha1([]) == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    }

    @Test
    func wrongTypesAreRefused() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let keys = LockKeys.report
                for key in [keys.lock, keys.fence, keys.holder, keys.mark] {
                    let name = String(decoding: key, as: UTF8.self)
                    try server.ask("RPUSH", name, "x")
                    let error = await #expect(throws: LockError.self, "\(name)") {
                        try await store.look(at: keys, timeout: patience)
                    }
                    #expect(error?.code == .refused)
                    #expect(error?.message.contains("WRONGTYPE") == true)
                    _ = try? await store.acquire(.daemon("a"), timeout: patience)
                    try server.ask("DEL", name)
                    #expect(try await store.look().token == nil || key == keys.holder)
                    _ = try await store.release("a")
                }
            }
        }
    }

    @Test
    func anOperatorsMarkOutlivesARelease() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                let down = Mark(kind: .heldDown, by: "operator")
                try await store.setMark(down, on: .report, timeout: patience)
                #expect(try await store.release("a", mark: Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1)))
                #expect(try await store.look().mark == down)
            }
        }
    }

    // MARK: Servers that lose things

    @Test
    func scriptsAreSentAgainWithTheirText() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                for token in ["a", "b", "c"] {
                    #expect(try await store.acquire(.daemon(token)).grant != nil)
                    try server.ask("SCRIPT", "FLUSH")
                    #expect(try await store.release(token))
                    try server.ask("SCRIPT", "FLUSH")
                }
            }
        }
    }

    @Test(arguments: [true, false])
    func aRestartIsANewPast(keepingData: Bool) async throws {
        try await withServer(.init(appendOnly: true)) { server in
            try await withValkeyStore(server.unix) { store in
                let first = try await store.settle()
                let fence = try #require(try await store.acquire(.daemon("a")).grant?.fence)
                try await server.restart(keepingData: keepingData)
                let second = try await store.nonce()
                #expect(second != first)
                let renewal = try RenewRequest.daemon("a", notAfter: store.serverTime(in: 10), fence: fence)
                #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
                #expect(try await store.acquire(.daemon("b", nonce: second)).heldBy != nil)
                #expect(try await store.look().fence == fence)
                #expect(try await store.release("a"))
            }
        }
    }

    @Test
    func aFullServerStillRenewsAndReleases() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                try server.ask("CONFIG", "SET", "maxmemory", "1")
                let other = LockKeys(prefix: "test", job: "other")
                let error = await #expect(throws: LockError.self) {
                    try await store.acquire(.daemon("b", on: other), timeout: patience)
                }
                #expect(error?.code == .refused && error?.message.contains("OOM") == true)
                let renewal = try RenewRequest.daemon("a", notAfter: store.serverTime(in: 10))
                #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
                var adoption = renewal
                adoption.successor = .init(token: bytes("new"), holder: bytes("new"))
                #expect(try await store.renew(adoption) == .renewed(timeToLive: leaseLength))
                #expect(try await store.look().token == bytes("new"))
                #expect(try await store.release("new"))
            }
        }
    }

    @Test
    func aReplicasNoIsNotBelieved() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                // Its primary does not exist, so nothing is copied; it has forgotten our lock on top.
                try server.ask("DEL", "{test}:report:lock", "{test}:epoch")
                try server.ask("REPLICAOF", "127.0.0.1", "1")
                let error = await #expect(throws: LockError.self) {
                    try await store.release(
                        ReleaseRequest(keys: .report, token: bytes("a"), guarding: true), timeout: .milliseconds(400))
                }
                #expect(error?.code == .unreachable || error?.code == .refused)
                try await eventually("the store sees that it is a replica") {
                    if case .unreachable(let reason) = store.state { reason.contains("replica") } else { false }
                }
                let plain = await #expect(throws: LockError.self) {
                    try await store.release(
                        ReleaseRequest(keys: .report, token: bytes("x"), guarding: false), timeout: .milliseconds(200))
                }
                #expect(plain?.code == .unreachable)
                try server.ask("REPLICAOF", "NO", "ONE")
                #expect(try await store.release("a") == false)
            }
        }
    }

    // MARK: Connections that break

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
