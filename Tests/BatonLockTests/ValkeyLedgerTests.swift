// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// What a server, and those who write to it, can do to a ledger (rule S8).
@Suite(.timeLimit(.minutes(2)))
struct ValkeyLedgerTests {
    private static let ledger = String(decoding: LockKeys.report.ledger, as: UTF8.self)
    private static let runs = String(decoding: LockKeys.report.runs, as: UTF8.self)

    // MARK: Who claims nothing

    @Test func aLockWithoutAClaimNamesNoLedger() throws {
        var renewal = RenewRequest.daemon("a", notAfter: 5, fence: 7)
        let release = ReleaseRequest(keys: .report, token: bytes("a"), guarding: true)
        let calls = [
            (try ScriptCall.acquire(.daemon("a")), Script.acquire), (try ScriptCall.renew(renewal), .renew),
            (try ScriptCall.release(release), .release), (ScriptCall.look(at: .report, withLedger: false), .look),
        ]
        for (call, script) in calls {
            #expect(call.command.words[1...2] == [script.digest, bytes("5")])
            #expect(!call.command.words.contains { $0 == LockKeys.report.ledger || $0 == LockKeys.report.runs })
        }
        renewal.ledger = LedgerEntry(tick: 1, attempt: 1, fence: 7, changed: 0)
        #expect(try ScriptCall.renew(renewal).command.words[1...2] == [Script.renewRun.digest, bytes("6")])
        let claiming = AcquireRequest.claiming("a", LedgerClaim(expected: nil, tick: 1, info: []))
        #expect(try ScriptCall.acquire(claiming).command.words[1...2] == [Script.acquireRun.digest, bytes("7")])
    }

    @Test func ledgersAreBesideTheirLocks() {
        #expect(LockKeys.report.ledger == bytes("{test}:report:ledger"))
        #expect(LockKeys.report.runs == bytes("{test}:report:runs"))
        #expect(LockKeys(name: bytes("x")).ledger == bytes("{x}:ledger"))
        #expect(LockKeys(name: bytes("{a}x")).runs == bytes("{a}x:runs"))
    }

    @Test func aLockWithoutAClaimLeavesNoLedger() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                #expect(try await store.renew(.daemon("a", notAfter: nil)) == .renewed(timeToLive: leaseLength))
                #expect(try await store.release("a"))
                #expect(try server.ask("EXISTS", Self.ledger, Self.runs) == .integer(0))
            }
        }
    }

    // MARK: What was spoilt

    /// Never a crash and never a yes: as an empty one it is settled up to now.
    @Test func aSpoiltLedgerIsAnEmptyOne() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let now = try #require(try await store.settleTicks().entry).tick
                let info = String(repeating: "x", count: 1025)
                let numbers = ["", "x", "-1", "1.5", "1e3", "0x10", " 1", "nan", "inf", "99999999999999999999"]
                let spoilt =
                    ["tick", "attempt", "manual", "fence", "changed"].flatMap { field in
                        numbers.map { (field, $0) }
                    } + [
                        ("tick", "253402300800"), ("attempt", "1000001"), ("fence", "9007199254740992"),
                        ("changed", "9007199254740992"), ("manual", "9007199254740992"), ("outcome", ""),
                        ("outcome", String(repeating: "x", count: 65)), ("info", info),
                    ]
                for (field, value) in spoilt {
                    try server.ask("DEL", Self.ledger)
                    try server.ask(
                        "HSET", Self.ledger, "tick", "\(now - 100)", "attempt", "1", "fence", "7", "changed", "5",
                        "info", "run")
                    let view = try await store.ledger()
                    #expect(
                        view.entry
                            == LedgerEntry(
                                tick: now - 100, attempt: 1, fence: 7, changed: 5, info: bytes("run")))
                    try server.ask("HSET", Self.ledger, field, value)
                    #expect(try await store.ledger() == LedgerView(), "\(field) \(value)")
                    let claim = LedgerClaim(after: view, tick: now - 99)
                    let entry = try #require(try await store.acquire(.claiming("a", claim)).ledger?.entry)
                    #expect(entry.tick >= now && entry.attempt == 0 && entry.fence == 0, "\(field) \(value)")
                    #expect(try await store.ledger().entry == entry, "\(field) \(value)")
                }
                #expect(try await store.look().token == nil)
                for field in ["tick", "attempt", "fence", "changed", "info"] {
                    try server.ask("HDEL", Self.ledger, field)
                    #expect(try await store.ledger().entry == nil, "\(field)")
                    #expect(try await store.settleTicks().entry?.attempt == 0, "\(field)")
                }
            }
        }
    }

    @Test func aSpoiltWishIsNone() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let entry = try await store.settleTicks().entry
                for (field, value) in [
                    ("asked", "x"), ("asked", "-1"), ("pending", "2"), ("floor", "x"), ("floor", "-1"),
                ] {
                    let asked = try await store.ask("first \(field) \(value)")
                    #expect(try await store.ledger().asked == asked)
                    try server.ask("HSET", Self.ledger, field, value)
                    #expect(try await store.ledger().asked == (field == "floor" ? asked : nil), "\(field) \(value)")
                    #expect(try await store.settleTicks().entry == entry)
                    try server.ask("HDEL", Self.ledger, "asked", "by", "call", "pending", "floor")
                }
            }
        }
    }

    /// Also when the server's clock is behind it.
    @Test func aWishIsNeverOneThatWasGivenUp() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                let first = try await store.ask("first").id + 60_000_000
                try server.ask("HSET", Self.ledger, "asked", "\(first)", "pending", "0")
                #expect(try await store.ask("second").id == first + 1)
            }
        }
    }

    @Test func keysOfAnotherTypeAreRefusedAndNothingIsDone() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let view = try await store.settleTicks()
                let tick = try #require(view.entry).tick
                try server.ask("HSET", Self.ledger, "tick", "\(tick - 100)")
                let seen = try await store.ledger()
                let claim = LedgerClaim(after: seen, tick: tick - 99, lines: ["missed"])
                let run = claim.entry(fence: 7, at: 7)
                #expect(try await store.acquire(.daemon("holder")).grant != nil)
                let before = try await store.look()
                for (key, type) in [(Self.ledger, "list"), (Self.ledger, "string"), (Self.runs, "hash")] {
                    try server.ask("RENAME", Self.ledger, "kept")
                    try server.ask(
                        type == "list"
                            ? ["RPUSH", key, "x"] : type == "hash" ? ["HSET", key, "x", "y"] : ["SET", key, "x"])
                    #expect(await code { try await store.settleTicks(floor: tick) } == .refused, "\(key) \(type)")
                    #expect(
                        await code { try await store.end("holder", run, line: "ran") } == .refused, "\(key) \(type)")
                    #expect(await code { try await store.acquire(.claiming("b", claim)) } == .refused)
                    if key == Self.ledger {
                        #expect(await code { try await store.ask("first") } == .refused)
                        #expect(await code { try await store.ledger() } == .refused)
                    } else {
                        #expect(await code { try await store.history() } == .refused)
                    }
                    // It costs nobody a lease.
                    var renewal = try RenewRequest.daemon("holder", notAfter: store.serverTime(in: 10))
                    renewal.ledger = run
                    #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
                    #expect(try await store.look().token == bytes("holder"))
                    try server.ask("DEL", key)
                    try server.ask("RENAME", "kept", Self.ledger)
                    try server.ask("DEL", Self.runs)
                }
                #expect(try await store.look().fence == before.fence)
                #expect(try await store.ledger() == seen)
                // And a free lock is granted to nobody.
                #expect(try await store.release("holder"))
                try server.ask("SET", Self.runs, "x")
                #expect(await code { try await store.acquire(.claiming("b", claim)) } == .refused)
                #expect(try await store.look().token == nil)
                #expect(try await store.ledger() == seen)
            }
        }
    }

    // MARK: What a server can do

    @Test func aFullServerStillTakesOutcomes() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let tick = try #require(try await store.settleTicks().entry).tick
                try server.ask("HSET", Self.ledger, "tick", "\(tick - 100)")
                let claim = LedgerClaim(after: try await store.ledger(), tick: tick - 99)
                let fence = try #require(try await store.acquire(.claiming("a", claim)).grant?.fence)
                let run = try #require(try await store.ledger().entry)
                #expect(run.fence == fence)
                try server.ask("CONFIG", "SET", "maxmemory", "1")
                var renewal = RenewRequest.daemon("a", notAfter: nil, fence: fence)
                renewal.ledger = run
                #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
                #expect(try await store.end("a", run, line: "ran"))
                #expect(try await store.ledger().entry?.outcome == bytes("ok"))
                #expect(try await store.history() == ["ran"])
                let next = LedgerClaim(after: try await store.ledger(), tick: tick - 98)
                #expect(await code { try await store.acquire(.claiming("b", next)) } == .refused)
                #expect(try await store.look().token == nil)
            }
        }
    }

    @Test(arguments: [true, false])
    func aRestartedServerIsBelievedAsFarAsItRemembers(keepingData: Bool) async throws {
        try await withServer(.init(appendOnly: true)) { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let tick = try #require(try await store.settleTicks().entry).tick
                try server.ask("HSET", Self.ledger, "tick", "\(tick - 100)")
                let seen = try await store.ledger()
                let claim = LedgerClaim(after: seen, tick: tick - 99)
                #expect(try await store.acquire(.claiming("a", claim)).grant != nil)
                let view = try await store.ledger()
                #expect(try await store.release("a"))
                try await server.restart(keepingData: keepingData)
                #expect(try await store.settleTicks(floor: tick - 99) == (keepingData ? view : LedgerView()))
                let nonce = try await store.nonce()
                let next = LedgerClaim(after: view, tick: tick - 98)
                let reply = try await store.acquire(.claiming("b", next, nonce: nonce))
                if keepingData {
                    #expect(reply.grant != nil)
                } else {
                    #expect(try #require(reply.ledger?.entry).tick >= tick)
                }
            }
        }
    }

    @Test func aReplicaIsNotAsked() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                try await store.settle()
                let view = try await store.settleTicks()
                try server.ask("REPLICAOF", "127.0.0.1", "1")
                let short = Duration.milliseconds(300)
                let claim = LedgerClaim(after: view, tick: try #require(view.entry).tick)
                let requests: [() async throws -> Void] = [
                    { _ = try await store.acquire(.claiming("a", claim), timeout: short) },
                    { _ = try await store.look(at: .report, withLedger: true, timeout: short) },
                    { _ = try await store.history(of: .report, limit: 5, timeout: short) },
                    { _ = try await store.settle(SettleRequest(keys: .report, guarding: nil), timeout: short) },
                    {
                        let request = AskRequest(keys: .report, by: "ops", call: [1])
                        _ = try await store.ask(request, timeout: short)
                    },
                ]
                for (number, request) in requests.enumerated() {
                    let found = await code(request)
                    #expect(found == .unreachable || found == .unavailable, "request \(number)")
                }
            }
        }
    }

    @Test func digestsAreTheServers() async throws {
        try await withServer { server in
            for script in [
                Script.acquireRun, .renewRun, .releaseRun, .lookAtRun, .settle, .ask, .history, .acquire, .renew,
                .release, .look,
            ] {
                let digest = try server.ask("SCRIPT", "LOAD", String(decoding: script.text, as: UTF8.self))
                #expect(digest == .string(script.digest))
            }
        }
    }
}

extension Command {
    fileprivate var words: [[UInt8]] {
        var rest = bytes[...]
        return lengths.map { length in
            defer { rest = rest.dropFirst(length) }
            return Array(rest.prefix(length))
        }
    }
}

extension TestServer {
    @discardableResult
    fileprivate func ask(_ command: [String]) throws -> Reply {
        try RawConnection(socket: socket).ask(command.map { Array($0.utf8) })
    }
}
