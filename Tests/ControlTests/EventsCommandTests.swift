// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Glibc
import Logging
import Testing

@testable import BatonDaemon

/// `batonctl events` against a control socket.
@Suite(.timeLimit(.minutes(2))) struct EventsCommandTests {
    private func filled(_ backend: FakeBackend = FakeBackend()) -> FakeBackend {
        backend.events.add(.nodeReady, .notice, "ready", ["jobs": "3"])
        backend.events.add(
            .runFailed, .warning, "run ended",
            ["job": "report", "run": "r-1", "detail": "exit code 3", "line": "\u{1b}[31m\n"])
        backend.events.add(.standby, .info, "standby", ["job": "mail"])
        return backend
    }

    private func withoutTimes(_ text: String) -> String {
        text.replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/, with: "TIME")
    }

    @Test func eachIsALineThatSteersNoTerminal() async throws {
        try await withServer(filled()) { path async throws in
            let result = try await batonctl("events", socket: path)
            #expect(result.code == 0 && result.error.isEmpty)
            #expect(
                withoutTimes(result.out) == #"""
                    TIME  notice    node-ready        ready jobs=3
                    TIME  warning   run-failed        run ended job=report line=\x1b[31m\n run_id=r-1 detail="exit code 3"
                    TIME  info      standby           standby job=mail

                    """#)
            let one = try await batonctl("events", "report", "-n", "5", socket: path)
            #expect(one.out.split(separator: "\n").count == 1 && one.out.contains("run_id=r-1"))
            #expect(try await batonctl("events", "-n", "1", socket: path).out.contains("job=mail\n"))
            #expect(try await batonctl("events", "-n", "0", socket: path).out.isEmpty)
        }
    }

    @Test func jsonIsALineForEach() async throws {
        try await withServer(filled()) { path async throws in
            let result = try await batonctl("events", "report", "--json", socket: path)
            #expect(
                withoutTimes(result.out)
                    == #"{"detail":"exit code 3","event":"run-failed","id":2,"job":"report","level":"warning","#
                    + #""line":"\u001b[31m\n","message":"run ended","node":"web-1","run_id":"r-1","time":"TIME"}"#
                    + "\n")
        }
    }

    @Test func whatIsWrongSaysSo() async throws {
        try await withServer(filled()) { path async throws in
            #expect(
                try await batonctl("events", "nothing", socket: path)
                    == Finished(code: 1, out: "", error: "batonctl: no job \"nothing\" on this node\n"))
            #expect(try await batonctl("events", "nothing", "-f", socket: path).code == 1)
            // It has none, yet.
            #expect(try await batonctl("events", "held", socket: path) == Finished(code: 0, out: "", error: ""))
            #expect(try await batonctl("events", "-n", "1001", socket: path).code == 64)
            #expect(try await exchange(path, "GET /v1/events?lines=1001").status == 400)
            #expect(try await exchange(path, "GET /v1/events?job=a%2fb").status == 400)
        }
    }

    @Test func anOperatorsActIsThereWithWhoItWas() async throws {
        let backend = FakeBackend()
        let logger = Logger(label: "test") { _ in EventLogHandler(SwiftLogNoOpLogHandler(), backend.events) }
        try await withServer(backend, logger: logger) { path async throws in
            #expect(try await batonctl("stop", "report", socket: path).code == 0)
            let result = try await batonctl("events", "report", "--json", socket: path)
            let event = try JSONDecoder().decode(NodeEvent.self, from: Data(result.out.utf8))
            #expect(event.kind == .operatorActed && event.fields["act"] == "stop")
            #expect(event.fields["uid"] == "\(geteuid())" && event.fields["gid"] == "\(getegid())")
        }
    }

    @Test func followingBeginsWithTheLastAndEndsWithItsReader() async throws {
        let backend = filled()
        try await withServer(backend) { path async throws in
            let script = "\"$0\" events -f -n 2 --socket \"$1\" | head -3; echo ${PIPESTATUS[0]}"
            let adding = Task {
                while !Task.isCancelled {
                    backend.events.add(.elected, .info, "starting", ["job": "mail"])
                    try await Task.sleep(for: .milliseconds(20))
                }
            }
            defer { adding.cancel() }
            let result = try await run("/bin/bash", ["-c", script, try built("batonctl"), path])
            let lines = result.out.split(separator: "\n")
            #expect(lines.count == 4 && lines.last == "0", "\(result)")
            #expect(lines.prefix(3).allSatisfy { $0.contains("  ") })
            try await waitForFollowers(0, of: backend)
        }
    }

    /// It is not read at all; then it learns how many it missed.
    @Test func aReaderThatStallsIsToldHowManyWereDropped() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let descriptor = try connected(to: path)
            let connection = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try connection.write(contentsOf: Data("GET /v1/events/follow?lines=0 HTTP/1.1\r\nHost: b\r\n\r\n".utf8))
            try await waitForFollowers(1, of: backend)
            let text = String(repeating: "x", count: 900)
            // Far more than the socket and the follower have room for. In portions, so that all of that is filled.
            for number in 1...20_000 {
                backend.events.add(.standby, .info, "standby", ["job": "report", "reason": "\(text)"])
                if number % 100 == 0 { try await Task.sleep(for: .milliseconds(1)) }
            }
            #expect(backend.events.kept <= EventFollower.limit)
            let said = try await read(connection, until: "\"id\":20000,")
            #expect(said.contains("{\"dropped\":"))
            let numbers = said.matches(of: /"id":(\d+),/).compactMap { Int($0.1) }
            let dropped = said.matches(of: /"dropped":(\d+)/).compactMap { Int($0.1) }
            #expect(numbers.count + dropped.reduce(0, +) == 20_000)
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    private func waitForFollowers(_ count: Int, of backend: FakeBackend) async throws {
        for _ in 0..<1000 where backend.events.followers != count { try await Task.sleep(for: .milliseconds(10)) }
        #expect(backend.events.followers == count)
    }

    /// On a thread of its own, as it blocks.
    private func read(_ connection: FileHandle, until end: String) async throws -> String {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<String, any Error>) in
            Thread.detachNewThread {
                var data = Data()
                while true {
                    let part = connection.availableData
                    data += part
                    if part.isEmpty || String(decoding: data.suffix(2000), as: UTF8.self).contains(end) { break }
                }
                continuation.resume(returning: String(decoding: data, as: UTF8.self))
            }
        }
    }
}
