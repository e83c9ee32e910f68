// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// The registry of nodes, as every store keeps it.
@Suite(.timeLimit(.minutes(2)))
struct NodeRegistryTests {
    @Test(arguments: StoreBackend.all)
    func aNodeIsKnownUntilItLeaves(backend: StoreBackend) async throws {
        try await backend.withRegistry { registry async throws in
            #expect(try await registry.nodes() == [])
            #expect(try await registry.register("web-2", "b", "two") == .registered)
            #expect(try await registry.register("web-1", "a", "one") == .registered)
            let first = RegisteredNode(name: "web-1", instance: "a", record: bytes("one"))
            let second = RegisteredNode(name: "web-2", instance: "b", record: bytes("two"))
            #expect(try await registry.nodes() == [first, second])
            #expect(try await registry.register("web-1", "a", nil) == .registered)
            #expect(try await registry.nodes() == [first, second])
            #expect(try await registry.register("web-1", "a", "") == .registered)
            #expect(try await registry.nodes().first?.record == [])
            #expect(try await registry.unregister("web-1", "b") == false)
            #expect(try await registry.unregister("web-1", "a"))
            #expect(try await registry.unregister("web-1", "a") == false)
            #expect(try await registry.nodes() == [second])
        }
    }

    @Test(arguments: StoreBackend.all)
    func aNameHasOneLiveInstance(backend: StoreBackend) async throws {
        try await backend.withRegistry { registry async throws in
            #expect(try await registry.register("web-1", "a", nil) == .unknown)
            #expect(try await registry.register("web-1", "a", "one") == .registered)
            #expect(try await registry.register("web-1", "b", "other") == .taken(instance: "a"))
            #expect(try await registry.register("web-1", "b", nil) == .taken(instance: "a"))
            #expect(try await registry.nodes().map(\.record) == [bytes("one")])
            // The daemon that follows it on the same node says so.
            #expect(try await registry.register("web-1", "b", nil, predecessor: "a") == .unknown)
            #expect(try await registry.register("web-1", "b", "two", predecessor: "a") == .registered)
            #expect(try await registry.register("web-1", "a", nil) == .taken(instance: "b"))
            #expect(try await registry.nodes().map(\.record) == [bytes("two")])
        }
    }

    @Test(arguments: StoreBackend.all)
    func whoIsSilentIsForgotten(backend: StoreBackend) async throws {
        try await backend.withRegistry { registry async throws in
            #expect(try await registry.register("web-1", "a", "one", for: .milliseconds(500)) == .registered)
            #expect(try await registry.register("web-2", "b", "two", for: .milliseconds(500)) == .registered)
            #expect(try await registry.register("web-2", "b", nil) == .registered)
            try await eventually("the silent one is forgotten") {
                try await registry.nodes().map(\.name) == ["web-2"]
            }
            #expect(try await registry.register("web-1", "a", nil) == .unknown)
            #expect(try await registry.register("web-1", "c", "three") == .registered)
            #expect(try await registry.nodes().map(\.instance) == ["c", "b"])
        }
    }

    @Test(arguments: StoreBackend.all)
    func recordsAreBytesAndPrefixesAreApart(backend: StoreBackend) async throws {
        try await backend.withRegistry { registry async throws in
            let record = Bytes(0...255) + bytes("\n\n") + Bytes(repeating: 7, count: 100_000)
            let other = NodeKeys(prefix: "other", name: "web-1")
            for (keys, instance) in [(NodeKeys(prefix: "baton", name: "web-1"), "a"), (other, "b")] {
                let request = RegisterRequest(
                    keys: keys, instance: instance, record: record, timeToLive: .seconds(60))
                #expect(try await registry.register(request, timeout: patience) == .registered)
            }
            let expected = RegisteredNode(name: "web-1", instance: "b", record: record)
            #expect(try await registry.nodes(prefix: "other", timeout: patience) == [expected])
            #expect(try await registry.nodes().map(\.instance) == ["a"])
        }
    }

    @Test(arguments: StoreBackend.all)
    func whatCannotBeKeptApartIsRefused(backend: StoreBackend) async throws {
        try await backend.withRegistry { registry async throws in
            for (name, instance) in [("", "a"), ("web\n1", "a"), ("web-1", ""), ("web-1", "a\nb")] {
                let error = await #expect(throws: LockError.self) {
                    try await registry.register(name, instance, "one")
                }
                #expect(error?.code == .invalidArgument)
            }
            let longest = String(repeating: "x", count: RegisterRequest.longestRecord)
            let error = await #expect(throws: LockError.self) {
                try await registry.register("web-1", "a", longest + "x")
            }
            #expect(error?.code == .invalidArgument)
            #expect(try await registry.nodes() == [])
            #expect(try await registry.register("web-1", "a", longest) == .registered)
            #expect(try await registry.register("web-2", "b", longest) == .registered)
            #expect(try await registry.nodes().map(\.record.count) == [longest.utf8.count, longest.utf8.count])
        }
    }

    /// Random sequences, answer by answer against the model. What runs out soon has run out before it is asked about.
    @Test(arguments: StoreBackend.all.filter { $0.name != "the pure model" })
    func randomSequencesAreAnsweredAsByTheModel(backend: StoreBackend) async throws {
        let seed = UInt64.random(in: .min ... .max)
        try await backend.withRegistry { registry async throws in
            var random = SplitMix(seed: seed)
            var model = NodeRegistryModel()
            var now: Int64 = 0
            for step in 0..<300 {
                let keys = NodeKeys(prefix: random.pick("baton", "other"), name: random.pick("a", "b", "c"))
                let instance = random.pick("1", "2", "3")
                let (expected, answer): (String, String)
                switch Int.random(in: 0..<10, using: &random) {
                case ..<6:
                    let isShort = random.chance(10)
                    let request = RegisterRequest(
                        keys: keys, instance: instance, predecessor: random.pick(nil, nil, "1", "2"),
                        record: random.pick(nil, bytes("\(step)")),
                        timeToLive: isShort ? .milliseconds(5) : .seconds(3600))
                    expected = "\(model.register(request, at: now))"
                    answer = "\(try await registry.register(request, timeout: patience))"
                    if isShort {
                        now += 50_000
                        try await Task.sleep(for: .milliseconds(50))
                    }
                case 6, 7:
                    expected = "\(model.unregister(keys, instance: instance, at: now))"
                    answer = "\(try await registry.unregister(keys, instance: instance, timeout: patience))"
                default:
                    expected = "\(model.nodes(keys.prefix, at: now))"
                    answer = "\(try await registry.nodes(prefix: keys.prefix, timeout: patience))"
                }
                try #require(answer == expected, "seed \(seed), step \(step)")
            }
        }
    }

    @Test func theIndexForgetsNodesThatAreGone() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                for number in 0..<20 {
                    #expect(
                        try await store.register("n\(number)", "a", "one", for: .milliseconds(1)) == .registered)
                }
                try await eventually("they are gone") { try server.number("PTTL", "{baton}:node:n19") == -2 }
                #expect(try await store.register("last", "a", "one") == .registered)
                #expect(try server.ask("GET", "{baton}:nodes") == .string(bytes("last")))
                #expect(try await store.unregister("last", "a"))
                #expect(try await store.nodes() == [])
                #expect(try server.ask("GET", "{baton}:nodes") == .string([]))
            }
        }
    }

    @Test func aStrangersKeyIsNoNode() async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                #expect(try await store.register("web-1", "a", "one") == .registered)
                try server.ask("SET", "{baton}:nodes", "list\nweb-1\nnone\nplain")
                try server.ask("RPUSH", "{baton}:node:list", "x")
                try server.ask("SET", "{baton}:node:plain", "x")
                #expect(try await store.nodes().map(\.name) == ["web-1"])
                #expect(try await store.register("plain", "a", "one") == .taken(instance: ""))
            }
        }
    }

    @Test func recordsOfAnEarlierBootAreVoid() async throws {
        let bench = SQLiteBench()
        let before = bench.store()
        #expect(try await before.register("web-1", "a", "one") == .registered)
        await before.close()
        let after = bench.store(boot: "boot-2")
        #expect(try await after.nodes() == [])
        #expect(try await after.register("web-1", "a", nil) == .unknown)
        #expect(try await after.register("web-1", "b", "two") == .registered)
    }
}

extension StoreBackend {
    fileprivate func withRegistry(
        _ body: @escaping @Sendable (any NodeRegistry) async throws -> Void
    ) async throws {
        try await with { subject in
            let registry = try #require(subject.store as? any NodeRegistry)
            try await body(registry)
        }
    }
}

extension NodeRegistry {
    fileprivate func register(
        _ name: String, _ instance: String, _ record: String?, predecessor: String? = nil,
        for timeToLive: Duration = .seconds(60)
    ) async throws -> RegisterReply {
        try await register(
            RegisterRequest(
                keys: NodeKeys(prefix: "baton", name: name), instance: instance, predecessor: predecessor,
                record: record.map { bytes($0) }, timeToLive: timeToLive),
            timeout: patience)
    }

    fileprivate func unregister(_ name: String, _ instance: String) async throws -> Bool {
        try await unregister(NodeKeys(prefix: "baton", name: name), instance: instance, timeout: patience)
    }

    fileprivate func nodes() async throws -> [RegisteredNode] { try await nodes(prefix: "baton", timeout: patience) }
}
