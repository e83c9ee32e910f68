// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Synchronization
import Testing

/// The tail and the journal.
@Suite(.timeLimit(.minutes(1))) struct OutputTests {
    @Test func tailHasBothStreamsAndALineWithoutEnd() async throws {
        try await withRun("echo one; echo two >&2; sleep 0.1; printf three; echo up > up; exec sleep $M") { run in
            _ = run.go(for: .seconds(10))
            _ = try await run.wrote("up")
            run.link.send(.tail)
            let bytes = try await run.report { if case .tail(let bytes) = $0 { bytes } else { nil } }
            let tail = String(decoding: bytes, as: UTF8.self)
            #expect(tail.hasSuffix("three"))
            #expect(tail.contains("one\n") && tail.contains("two\n"))
            run.link.send(.kill)
            _ = try await run.end()
            #expect(try run.directory.tail() == bytes)
        }
    }

    @Test func tailKeepsTheLast64KiBOfMore() async throws {
        try await withRun("seq 1 100000; printf end") { run in
            _ = run.go(for: .seconds(20))
            _ = try await run.end()
            let tail = try run.directory.tail()
            let all = (1...100000).map { "\($0)\n" }.joined() + "end"
            #expect(tail.count == 64 << 10)
            #expect(tail == Bytes(all.utf8.suffix(64 << 10)))
        }
    }

    @Test func tailSurvivesTheKeeper() async throws {
        try await withRun("echo last words; echo up > up; exec sleep $M") { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(20))
            _ = try await run.wrote("up")
            run.link.send(.tail)
            _ = try await run.report { if case .tail = $0 { true } else { nil } }
            kill(hello.keeper, SIGKILL)
            let status = try await run.status()
            #expect(status.reason == .keeperLost)
            #expect(try run.directory.tail() == Bytes("last words\n".utf8))
        }
    }

    @Test func journalGetsLinesWithTheirFields() async throws {
        try await withJournal { path, receive in
            try await withRun(
                "echo hello; echo; printf 'oh no' >&2",
                configure: {
                    $0.output = .journal
                    $0.journalSocket = path
                    $0.fence = 42
                    $0.node = "web-1"
                }
            ) { run in
                _ = run.go(for: .seconds(10))
                _ = try await run.end()
                let entries = receive().sorted()
                let common =
                    "SYSLOG_IDENTIFIER=job\nBATON_JOB=job\nBATON_RUN_ID=\(run.spec.runID)\nBATON_FENCE=42\nBATON_NODE=web-1\n"
                #expect(
                    entries == [
                        "PRIORITY=3\n\(common)BATON_STREAM=stderr\nMESSAGE=oh no\n",
                        "PRIORITY=6\n\(common)BATON_STREAM=stdout\nMESSAGE=hello\n",
                    ])
            }
        }
    }

    @Test func journalThatIsSlowGetsEveryLine() async throws {
        try await withJournal { path, receive in
            let lines = Mutex<[String]>([])
            let reader = try Reactor()
            defer { reader.stop() }
            let done = Mutex(false)
            // A little at a time: its queue is full all the while.
            @Sendable func read() {
                lines.withLock { $0 += receive() }
                usleep(200)
                if !done.withLock({ $0 }) { reader.run { read() } }
            }
            reader.run { read() }
            try await withRun(
                "seq 1 3000; sleep 0.2; seq 3001 6000",
                configure: {
                    $0.output = .journal
                    $0.journalSocket = path
                }
            ) { run in
                _ = run.go(for: .seconds(60))
                _ = try await run.end(within: .seconds(30))
            }
            done.withLock { $0 = true }
            let stopped = Mutex(false)
            reader.run { stopped.withLock { $0 = true } }
            try await until { stopped.withLock { $0 } ? () : nil }
            let all = lines.withLock { $0 } + receive()
            #expect(all.compactMap { $0.split(separator: "=").last.map(String.init) } == (1...6000).map { "\($0)\n" })
        }
    }

    @Test func journalThatTakesNothingHoldsNothingUp() async throws {
        try await withJournal { path, receive in
            try await withRun(
                "seq 1 20000; head -c 30000 /dev/zero | tr '\\0' x; echo",
                configure: {
                    $0.output = .journal
                    $0.journalSocket = path
                }
            ) { run in
                let before = run.go(for: .seconds(10))
                let end = try await run.end()
                #expect(end.exit == .code(0))
                #expect(end.at < before - .seconds(5))
                let entries = receive()
                #expect(!entries.isEmpty && entries.count < 20000)
                #expect(entries.first?.hasSuffix("MESSAGE=1\n") == true)
            }
        }
    }

    /// A stand-in for journald: a datagram socket, read only when the test wants to.
    private func withJournal(_ body: (String, @escaping @Sendable () -> [String]) async throws -> Void) async throws {
        let path = "/tmp/baton-journal-\(UInt32.random(in: 0 ... .max))"
        let fd = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer {
            close(fd)
            unlink(path)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        try await body(path) {
            var entries: [String] = []
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = recv(fd, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                if count <= 0 { return entries }
                entries.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
        }
    }
}
