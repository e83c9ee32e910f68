// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Synchronization
import Testing

@testable import BatonTestSupport

@testable import BatonValkey

/// Who is let in, and who is believed to be a server.
@Suite(.timeLimit(.minutes(2)))
struct ValkeyConnectingTests {
    static let secret = "correct horse battery staple"

    /// What a request comes to at a server that cannot be used.
    func failure(_ configuration: ValkeyStore.Configuration, timeout: Duration = patience) async throws
        -> LockError
    {
        try await withValkeyStore(configuration) { store in
            let error = await #expect(throws: LockError.self) { try await store.look(at: .report, timeout: timeout) }
            let found = try #require(error)
            for text in ["\(found)", String(reflecting: found), store.state.description, "\(store.configuration)"] {
                #expect(!text.contains(Self.secret))
            }
            return found
        }
    }

    @Test
    func passwords() async throws {
        try await withServer(.init(password: Self.secret)) { server in
            try await withValkeyStore(server.unix) { store in _ = try await store.look() }
            var configuration = server.tcp
            configuration.password = nil
            #expect(try await failure(configuration).code == .notPermitted)
            configuration.password = "wrong"
            #expect(try await failure(configuration).code == .notPermitted)
            configuration.password = Self.secret
            configuration.username = "nobody"
            #expect(try await failure(configuration).code == .notPermitted)
            configuration.username = "default"
            try await withValkeyStore(configuration) { store in _ = try await store.look() }
        }
    }

    @Test
    func aUserNeedsNoMoreThanItsKeys() async throws {
        try await withServer { server in
            // The line of the README: own keys and channels, without @dangerous; INFO for the guard.
            try server.ask(
                "ACL", "SETUSER", "baton", "on", ">" + Self.secret, "~{test}:*", "&{test}:*", "+@all", "-@dangerous",
                "+info")
            var configuration = server.tcp
            configuration.username = "baton"
            configuration.password = Self.secret
            try await withValkeyStore(configuration) { store in
                try await store.settle()
                #expect(try await store.acquire(.daemon("a")).grant != nil)
                #expect(store.warnings.isEmpty)
                let foreign = LockKeys(prefix: "foreign", job: "report")
                let error = await #expect(throws: LockError.self) {
                    try await store.look(at: foreign, timeout: patience)
                }
                #expect(error?.code == .notPermitted)
            }
            // Without INFO: a warning, and no guarded lock.
            try server.ask("ACL", "SETUSER", "baton", "-info")
            try await withValkeyStore(configuration) { store in
                let error = await #expect(throws: LockError.self) {
                    try await store.acquire(.daemon("b"), timeout: patience)
                }
                #expect(error?.code == .notPermitted && error?.message.contains("info") == true)
                #expect(store.warnings.count == 1)
                let plain = try await store.acquire(.plain("b"))
                #expect(plain.heldBy != nil)
            }
            // Without the channel: releases work, announcements do not.
            try server.ask("ACL", "SETUSER", "baton", "+info", "resetchannels")
            try await withValkeyStore(configuration) { store in
                try await store.withAnnouncements(of: .report) { _ in
                    let released = try await store.release("a")
                    #expect(released)
                }
                // Who listens is told of each connection all the same: it may lead to another server.
                let rings = Mutex(0)
                let bell = Doorbell { rings.withLock { $0 += 1 } }
                store.connect(bell, to: .report)
                try await eventually("the bell has rung") { rings.withLock { $0 } >= 1 }
                try server.ask("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                try await eventually("the bell has rung again") { rings.withLock { $0 } >= 2 }
            }
        }
    }

    @Test
    func evictionIsWarnedOf() async throws {
        try await withServer(.init(arguments: ["--maxmemory-policy", "volatile-ttl"])) { server in
            try await withValkeyStore(server.unix) { store in
                _ = try await store.look()
                #expect(store.warnings.contains { $0.contains("volatile-ttl") })
            }
        }
    }

    @Test
    func databases() async throws {
        try await withServer { server in
            var configuration = server.unix
            configuration.database = 3
            try await withValkeyStore(configuration) { store in
                _ = try #require(try await store.acquire(.plain("a")).grant)
                let inZero = try server.ask("DBSIZE")
                #expect(inZero == .integer(0))
            }
            configuration.database = 99
            #expect(try await failure(configuration, timeout: .seconds(4)).message.contains("DB index"))
        }
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail.example ESMTP\r\n", "\u{0}\u{1}\u{2}\u{3}", "*500000000\r\n",
        "*-7\r\n", "$99999999999999999999\r\n", "*2\r\n*1025\r\n", "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n",
        "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
    ])
    func whatIsNotAServerIsFoundOut(answer: String) async throws {
        try await withPeer { receive, send in
            _ = receive()
            send(Array(answer.utf8))
            while receive() != nil {}
        } _: { peer in
            let error = try await failure(peer.configuration)
            #expect(error.code == .protocolViolation, "\(error)")
            #expect(error.message.contains("127.0.0.1:\(peer.port)"))
        }
    }

    @Test
    func aSilentPeerIsUnreachable() async throws {
        try await withPeer { receive, _ in
            while receive() != nil {}
        } _: { peer in
            var configuration = peer.configuration
            configuration.connectTimeout = .milliseconds(200)
            let error = try await failure(configuration, timeout: .seconds(4))
            #expect(error.code == .unreachable && error.message.contains("said nothing"), "\(error)")
        }
    }

    @Test(arguments: [
        "$100000000\r\n", "*3\r\n$7\r\ngran", "*1024\r\n*1024\r\n*1024\r\n*1024\r\n*1024\r\n", "?", ":1\r\n:2\r\n",
    ])
    func aServerThatGoesMadIsLeft(answer: String) async throws {
        try await withPeer { receive, send in
            _ = receive()
            send(FakePeer.goodGreeting)
            _ = receive()
            send(Array(answer.utf8))
            let filling = [UInt8](repeating: 65, count: 1 << 16)
            if answer.hasPrefix("$") { for _ in 0..<100 { send(filling) } }
            while receive() != nil {}
        } _: { peer in
            try await withValkeyStore(peer.configuration) { store in
                let error = await #expect(throws: LockError.self) {
                    try await store.look(at: .report, timeout: .seconds(4))
                }
                #expect(error?.code == .unknownOutcome, "\(answer)")
            }
        }
    }

    @Test(arguments: [
        "-LOADING Redis is loading the dataset in memory", "-TRYAGAIN Multiple keys request during rehashing of slot",
        "-CLUSTERDOWN The cluster is down", "-BUSY Redis is busy running a script",
        "-READONLY You can't write against a read only replica.", "-MASTERDOWN Link with MASTER is down",
        "-ERR Error running script (call to f_1): @user_script:1: -READONLY You can't write against a read only replica.",
    ])
    func whatWillPassIsTriedAgain(answer: String) async throws {
        // A peer that refuses twice; the third attempt gets an answer.
        let refusals = Counter()
        try await withPeer { receive, send in
            _ = receive()
            send(FakePeer.goodGreeting)
            while receive() != nil {
                let refusal = Array((answer + "\r\n").utf8)
                send(refusals.next() <= 2 ? refusal : Array("*2\r\n$8\r\nreleased\r\n$1\r\n7\r\n".utf8))
            }
        } _: { peer in
            try await withValkeyStore(peer.configuration) { store in
                let released = try await store.release("a")
                #expect(released)
            }
        }
    }

    @Test
    func whatWillNotPassInTimeIsUnavailable() async throws {
        try await withPeer { receive, send in
            _ = receive()
            send(FakePeer.goodGreeting)
            while receive() != nil { send(Array("-LOADING Redis is loading\r\n".utf8)) }
        } _: { peer in
            let error = try await failure(
                peer.configuration, timeout: .seconds(4))
            #expect(error.code == .unavailable && error.message.contains("LOADING"))
        }
    }

    @Test(arguments: [
        ("valkey://h", "valkey://h:6379/0"), ("redis://h:1/2", "valkey://h:1/2"), ("valkeys://h", "valkeys://h:6379/0"),
        ("rediss://u:p%40ss@[::1]:7", "valkeys://[::1]:7/0"), ("unix:///run/v.sock?db=4", "unix:///run/v.sock"),
        ("valkey://:p@ss@h/", "valkey://h:6379/0"),
    ])
    func urls(url: String, shown: String) throws {
        let configuration = try ValkeyStore.Configuration(url: url)
        #expect("\(configuration)" == shown)
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains("ss"))
    }

    @Test
    func partsOfURLs() throws {
        let full = try ValkeyStore.Configuration(url: "rediss://us%20er:p%40ss@[::1]:7/5")
        #expect(full.username == "us er" && full.password == "p@ss" && full.database == 5 && full.tls)
        #expect(full.address == .tcp(host: "::1", port: 7))
        #expect(try ValkeyStore.Configuration(url: "valkey://:p@ss@h").password == "p@ss")
        #expect(try ValkeyStore.Configuration(url: "unix:///run/v.sock?db=4").database == 4)
    }

    @Test(arguments: [
        "", "valkey", "http://h", "valkey://", "valkey://:hunter2@", "valkey://h:0", "valkey://h:hunter2",
        "valkey://[::1",
        "valkey://h/x", "valkey://h?hunter2", "unix://relative", "unix:///s?hunter2", "valkey://hunter2%@h",
        "valkey://[::1]x",
    ])
    func badURLs(url: String) throws {
        let error = #expect(throws: LockError.self) { try ValkeyStore.Configuration(url: url) }
        #expect(error?.code == .invalidArgument)
        var shown = "\(String(describing: error)) \(String(reflecting: error))"
        dump(error, to: &shown)
        #expect(!shown.contains("hunter2"))
        #expect(throws: LockError.self) { try ValkeyStore(url: url) }
    }
}
