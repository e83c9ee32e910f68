// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Foundation
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// What the README shows works as it stands.
@Suite(.timeLimit(.minutes(2)))
struct ReadmeTests {
    private static let text: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        return (try? String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)) ?? ""
    }()

    @Test func theLibrarysExampleRuns() async throws {
        try await withServer { server in
            let calls = Counter()
            try await writeReport(store: "unix://\(server.socket)") { fence in
                #expect(fence > 0)
                _ = calls.next()
            }
            #expect(calls.next() == 2)
            #expect(try server.ask("EXISTS", "report") == .integer(0))
        }
    }

    private static func rights() throws -> [String] {
        let line = try #require(text.split(separator: "\n").first { $0.contains("user baton on >") })
        return line.split(separator: " ").drop { $0 != "on" }.map { $0.hasPrefix(">") ? ">secret" : String($0) }
    }

    /// With what the page says of replicas, it may be confirmed by them.
    @Test func theUserMayWaitForReplicas() async throws {
        try await withReplicas(1) { replicas in
            let connection = try RawConnection(socket: replicas.primary.socket)
            let words = ["ACL", "SETUSER", "baton"] + (try Self.rights()) + ["+wait"]
            #expect(try connection.ask(words.map { bytes($0) }) == .string(bytes("OK")))
            var configuration = replicas.primary.tcp
            (configuration.username, configuration.password) = ("baton", "secret")
            configuration.replicas = 1
            let keys = LockKeys(prefix: "baton", job: "report")
            try await withValkeyStore(configuration) { store in
                _ = try #require(try await store.acquire(.plain("a", on: keys)).grant)
                #expect(
                    try await store.renew(RenewRequest(keys: keys, token: bytes("a"), change: .reset(leaseLength)))
                        == .renewed(timeToLive: leaseLength))
            }
            #expect(try replicas.primary.ask("ACL", "LOG") == .array([]), "something was refused")
        }
    }

    /// The user may do all that a daemon does, and the server has refused it nothing.
    @Test func theUsersRightsAreEnough() async throws {
        let rights = try Self.rights()
        let keys = LockKeys(prefix: "baton", job: "report")
        try await withServer { server in
            let connection = try RawConnection(socket: server.socket)
            #expect(
                try connection.ask((["ACL", "SETUSER", "baton"] + rights).map { bytes($0) }) == .string(bytes("OK")))
            var configuration = server.tcp
            configuration.username = "baton"
            configuration.password = "secret"
            try await withValkeyStore(configuration) { store in
                guard case .unsettled(let nonce, _) = try await store.acquire(.daemon("a", on: keys)) else {
                    throw TestFailure("a new store is settled")
                }
                #expect(try await store.restoreMark(Mark(kind: .paused), on: keys, timeout: patience))
                try await store.withAnnouncements(of: keys) { bell in
                    let cooling = Mark(kind: .coolingDown, remaining: .milliseconds(1), failures: 1, by: "web-1")
                    try await store.setMark(cooling, on: keys, timeout: patience)
                    await bell.wait(until: .init(nanoseconds: .max))
                    try await eventually("the lock is granted after the mark") {
                        try await store.acquire(.daemon("a", on: keys, nonce: nonce)).grant != nil
                    }
                    let limit = try store.serverTime(in: 20)
                    #expect(
                        try await store.renew(.daemon("a", on: keys, notAfter: limit))
                            == .renewed(timeToLive: leaseLength))
                    try server.ask("DEL", "{baton}:report:lock")
                    #expect(
                        try await store.renew(.daemon("a", on: keys, notAfter: limit))
                            == .renewed(timeToLive: leaseLength))
                    #expect(try await store.look(keys).token == bytes("a"))
                    #expect(try await store.release("a", of: keys, mark: cooling))
                    await bell.wait(until: .init(nanoseconds: .max))
                }
            }
            try await withValkeyStore(configuration) { store in
                let node = NodeKeys(prefix: "baton", name: "web-1")
                var request = RegisterRequest(keys: node, instance: "a", record: [1], timeToLive: .milliseconds(1))
                for record in [[1], [2], nil] as [Bytes?] {
                    request.record = record
                    _ = try await store.register(request, timeout: patience)
                    request.timeToLive = .seconds(15)
                }
                #expect(try await store.nodes(prefix: "baton", timeout: patience).map(\.record) == [[2]])
                #expect(try await store.unregister(node, instance: "a", timeout: patience))
                #expect(try await store.nodes(prefix: "baton", timeout: patience) == [])
            }
            try await withValkeyStore(configuration) { try await runTick($0, of: keys) }
            #expect(try server.ask("ACL", "LOG") == .array([]), "something was refused")
        }
    }

    private func runTick(_ store: ValkeyStore, of keys: LockKeys) async throws {
        let opening = SettleRequest(keys: keys, guarding: .init(maxLockTimeout: maxLockTimeout))
        let opened = try await store.settle(opening, timeout: patience).reply
        _ = try await store.ask(AskRequest(keys: keys, by: "ops", call: [1]), timeout: patience)
        var request = AcquireRequest.daemon("b", on: keys)
        request.claim = LedgerClaim(after: opened, tick: try #require(opened.entry).tick + 1, lines: ["missed"])
        #expect(try await store.acquire(request).grant != nil)
        let run = try #require(try await store.ledger(keys).entry)
        var renewal = RenewRequest.daemon("b", on: keys, notAfter: nil)
        renewal.ledger = run
        #expect(try await store.renew(renewal) == .renewed(timeToLive: leaseLength))
        let record = RunRecord(run: run, outcome: bytes("ok"), line: bytes("ran"))
        let release = ReleaseRequest(keys: keys, token: bytes("b"), guarding: true, outcome: record)
        #expect(try await store.release(release, timeout: patience))
        #expect(try await store.history(of: keys, limit: 5, timeout: patience) == [bytes("ran"), bytes("missed")])
    }
}
