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
}
