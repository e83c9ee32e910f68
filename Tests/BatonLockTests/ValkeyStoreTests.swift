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
        let compare = "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
        let compareAndDelete = compare + "return redis.call('del', KEYS[1])"
        let compareAndExpire = compare + "return redis.call('pexpire', KEYS[1], ARGV[2])"
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
                #expect(
                    try await store.release("a", mark: Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1)))
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

    /// An hour back: a job that was to pause for a moment would not run for that hour, anywhere.
    @Test
    func aClockThatIsPutBackMakesNoMarkLonger() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let cooling = Mark(kind: .coolingDown, remaining: .milliseconds(300), failures: 2, by: "web-1")
                try await store.setMark(cooling, on: .report, timeout: patience)
                // What an hour ahead of now was set: nobody has to touch this machine's clock for it.
                let key = String(decoding: LockKeys.report.mark, as: UTF8.self)
                for field in ["until", "from"] { try server.ask("HINCRBY", key, field, "3600000000") }
                let seen = try #require(try await store.look().mark?.remaining)
                #expect(seen <= .milliseconds(300))
                let mark = try #require(try await store.acquire(.daemon("a")).mark)
                #expect(mark.remaining.map { $0 <= .milliseconds(300) } == true)
                var grant: AcquireReply.Grant?
                try await eventually("the mark passes") {
                    grant = try await store.acquire(.daemon("a")).grant
                    return grant != nil
                }
                #expect(grant?.failures == 2)
            }
        }
    }

    /// The same for a lock: its holder is dead, and the server keeps its key for an hour.
    @Test
    func aKeyThatOutlivesItsLeaseIsGrantedToWhoHasSeenThatEnd() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let key = String(decoding: LockKeys.report.lock, as: UTF8.self)
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                try server.ask("PEXPIRE", key, "3600000")
                let seen = try #require(try await store.acquire(.daemon("b")).heldBy)
                #expect(try #require(seen.timeToLive) > .seconds(3000))
                #expect(try await store.acquire(.daemon("b", claim: bytes("0:20000:a"))).heldBy != nil)
                // It is alive: what was seen is worth nothing.
                #expect(try await store.renew(.daemon("a", notAfter: nil)) == .renewed(timeToLive: leaseLength))
                #expect(try await store.acquire(.daemon("b", claim: seen.owner)).heldBy != nil)
                let last = try #require(try await store.acquire(.daemon("b")).heldBy)
                #expect(try await store.acquire(.daemon("b", claim: last.owner)).grant != nil)
                #expect(try await store.renew(.daemon("a", notAfter: nil)) == .lost)
                // A key that others took since is theirs.
                let next = try #require(try await store.acquire(.daemon("c")).heldBy)
                try server.ask("SET", key, "foreign")
                #expect(try await store.acquire(.daemon("c", claim: next.owner)).heldBy != nil)
            }
        }
    }

    @Test
    func theModelsMarksAreNoLongerEither() throws {
        var model = StoreModel(clock: .server)
        let cooling = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 2)
        model.setMark(cooling, on: .report, at: 9_000_000_000)
        var request = AcquireRequest.daemon("a")
        request.guarding = nil
        func ask(_ time: Int64) throws -> AcquireReply {
            try model.acquire(request, at: StoreModel.Moment(time: time, random: bytes("r")))
        }
        #expect(model.look(at: .report, at: 5_000_000_000).mark?.remaining == .seconds(1))
        #expect(try ask(5_000_000_000).mark?.remaining == .seconds(1))
        #expect(try ask(5_000_500_000).mark?.remaining == .milliseconds(500))
        #expect(try ask(5_001_000_000).grant != nil)
    }

    @Test
    func aReplicasNoIsNotBelieved() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                // Its primary does not exist, so nothing is copied; it has forgotten our lock on top.
                try server.ask("DEL", "{test}:report:lock", "{test}:report:holder", "{test}:epoch")
                try server.ask("REPLICAOF", "127.0.0.1", "1")
                let error = await #expect(throws: LockError.self) {
                    try await store.release(
                        ReleaseRequest(keys: .report, token: bytes("a"), guarding: true), timeout: .milliseconds(400))
                }
                #expect(error?.code == .unreachable || error?.code == .unavailable)
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
}
