// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Logging
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// The password is in nothing that anybody may print: descriptions, dumps, errors, log lines at every level.
@Suite(.timeLimit(.minutes(2)))
struct ValkeySecrecyTests {
    /// A server cuts off what it quotes; a word is not looked for within words; a line break is not quoted as one.
    static let secrets = [
        "correct horse battery staple", String(repeating: "0123456789abcdef", count: 16), "pass", "two\nlines of it",
    ]

    /// What a peer says to the greeting, the secret in the place of a `?`.
    static let answers = [
        "-ERR unknown command 'AUTH', with args beginning with: 'default' '?'",
        "-ERR unknown command `AUTH`, with args beginning with: `?`, ", "-WRONGPASS ?", "-NOAUTH ?", "-DENIED ?",
        "-READONLY ?", "-LOADING '?'", "-?", "+?", "$999999999999999 ?", "?",
    ]

    @Test(arguments: secrets)
    func aPasswordIsNowhereToBeRead(secret: String) async throws {
        let quoted = String(secret.prefix(128)).replacing("\n", with: " ")
        let cases = Self.answers.flatMap { [(answer: $0, readsFirst: true), (answer: $0, readsFirst: false)] }
        await WireCell.each(cases) { _, peers in
            try await withPeer { receive, send in
                if peers.readsFirst { _ = receive() }
                send(Array((peers.answer.replacing("?", with: quoted) + "\r\n").utf8))
                if peers.readsFirst { while receive() != nil {} }
            } _: { peer in
                try await Self.expectSilence(secret, at: peer, "\(peers)")
            }
        } title: {
            "\($0)"
        }
        // A peer that says nothing: the password is on its way for as long as it is looked at.
        try await withPeer { receive, _ in
            while receive() != nil {}
        } _: { peer in
            try await Self.expectSilence(secret, at: peer, "silence")
        }
    }

    /// A peer that is a server, and quotes the password later.
    @Test(arguments: secrets)
    func aPasswordThatIsQuotedLaterIsNotRepeated(secret: String) async throws {
        let quoted = String(secret.prefix(128)).replacing("\n", with: " ")
        await WireCell.each(["ERR '?'", "NOPERM ?", "LOADING ? is loading", "NOAUTH ?"]) { _, reason in
            let error = Array("-\(reason.replacing("?", with: quoted))\r\n".utf8)
            try await withPeer { receive, send in
                _ = receive()
                send(Array("+OK\r\n".utf8) + FakePeer.goodGreeting(maxMemoryPolicy: quoted))
                while receive() != nil { send(error) }
            } _: { peer in
                try await Self.expectSilence(secret, at: peer, reason)
            }
        } title: {
            $0
        }
    }

    private static func expectSilence(_ secret: String, at peer: FakePeer, _ title: String) async throws {
        let log = LogCapture()
        var logger = Logger(label: "test") { _ in log }
        logger.logLevel = .trace
        var configuration = peer.configuration
        configuration.password = secret
        configuration.connectTimeout = .milliseconds(200)
        let store = ValkeyStore(configuration, logger: logger)
        let lock = try Lock(store, name: report, timeout: .seconds(1))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await store.run() }  // it is cancelled below
            var subjects: [Any] = [configuration, store, lock, store.state]
            do { try await lock.acquire(.no) } catch { subjects.append(error) }
            do throws(LockError) { _ = try await store.look(at: reportKeys, timeout: .milliseconds(100)) } catch {
                subjects.append(error)
            }
            // Subscribed to, and refused.
            _ = try? await lock.acquire(.atMost(.milliseconds(20)))  // any error will do: it is logged
            subjects += [store, store.state, store.warnings, log.lines]
            var all = ""
            for subject in subjects {
                all += "\(subject)\n" + String(reflecting: subject) + "\n"
                dump(subject, to: &all)
            }
            expectNothing(of: secret, in: all, title)
            group.cancelAll()
        }
    }

    /// Neither the secret nor its beginning, as text or in hexadecimal.
    private static func expectNothing(of secret: String, in text: String, _ title: String) {
        #expect(!text.isEmpty)
        let beginning = String(secret.prefix(8))
        let hex = beginning.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        for trace in [beginning, beginning.replacing("\n", with: " "), beginning.replacing("\n", with: "\\n"), hex] {
            guard let place = text.firstRange(of: trace) else { continue }
            // "pass" is a word of others, too: "password".
            let next = text[place.upperBound...].first
            if secret == "pass", next?.isLetter == true { continue }
            Issue.record("\(title): \(text[place.lowerBound...].prefix(80))")
        }
    }
}

/// Keeps every line, with its metadata.
private struct LogCapture: LogHandler {
    private let kept = Shared<[String]>([])
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    var lines: [String] { kept.current }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line = "\(event.message) \(metadata) \(event.metadata ?? [:]) \(String(describing: event.error))"
        kept.change { $0.append(line) }
    }
}
