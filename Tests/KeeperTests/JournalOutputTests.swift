// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import BatonTestSupport
import Glibc
import Synchronization
import Testing

/// A workload's output on its way into the journal.
@Suite(.timeLimit(.minutes(1))) struct JournalOutputTests {
    /// Runs a script to its end while `journal` is being read all the time.
    ///
    /// - Returns: every entry that came.
    private func entries(
        of script: String, pause: useconds_t = 0, within limit: Duration = .seconds(30),
        configure: @escaping (inout LaunchSpec) -> Void = { _ in }, check: (Run, RunEnd) throws -> Void = { _, _ in }
    ) async throws -> [FakeJournal.Entry] {
        try await FakeJournal.open { journal in
            let received = Mutex<[Bytes]>([])
            let done = Mutex(false)
            let stopped = Mutex(false)
            let reader = try Reactor()
            defer { reader.stop() }
            @Sendable func read() {
                let new = journal.receive()
                received.withLock { $0 += new }
                if pause > 0 { usleep(pause) }
                if done.withLock({ $0 }) { return stopped.withLock { $0 = true } }
                if new.isEmpty { usleep(100) }
                reader.run { read() }
            }
            reader.run { read() }
            try await withRun(
                script,
                configure: {
                    $0.output = .journal
                    $0.journalSocket = journal.path
                    configure(&$0)
                }
            ) { run in
                _ = run.go(for: limit)
                try check(run, try await run.end(within: limit))
            }
            done.withLock { $0 = true }
            try await until { stopped.withLock { $0 } ? () : nil }
            return try (received.withLock { $0 } + journal.receive()).map(FakeJournal.fields)
        }
    }

    @Test func everyLineHasItsFields() async throws {
        let configure = { (spec: inout LaunchSpec) in
            spec.fence = 42
            spec.node = "web-1"
            spec.environment.append("BATON_TICK=2026-11-23T02:00:00Z")
        }
        var runID = ""
        let entries = try await entries(
            of: "echo $$; echo; printf 'oh no' >&2", configure: configure, check: { run, _ in runID = run.spec.runID })
        #expect(entries.count == 2, "the empty line is left out")
        let out = try #require(entries.first { $0.text("BATON_STREAM") == "stdout" })
        let err = try #require(entries.first { $0.text("BATON_STREAM") == "stderr" })
        let pid = try #require(out.text("MESSAGE"))
        let common = [
            "SYSLOG_IDENTIFIER": "job", "SYSLOG_FACILITY": "3", "SYSLOG_PID": pid, "BATON_JOB": "job",
            "BATON_RUN_ID": runID, "BATON_FENCE": "42", "BATON_NODE": "web-1", "BATON_TICK": "2026-11-23T02:00:00Z",
        ]
        #expect(
            out.mapValues { String(decoding: $0, as: UTF8.self) }
                == common.merging(["PRIORITY": "6", "BATON_STREAM": "stdout", "MESSAGE": pid]) { $1 })
        #expect(
            err.mapValues { String(decoding: $0, as: UTF8.self) }
                == common.merging([
                    "PRIORITY": "3", "BATON_STREAM": "stderr", "MESSAGE": "oh no", "BATON_LINE_BREAK": "eof",
                ]) { $1 })
    }

    @Test func aLineThatComesInPiecesIsOneEntry() async throws {
        let entries = try await entries(of: "printf 'one '; sleep 0.2; printf 'line'; sleep 0.2; echo ' only'")
        #expect(entries.map { $0.text("MESSAGE") } == ["one line only"])
    }

    @Test func tenMegabytesWithoutALinesEndAreCutAndMarked() async throws {
        let size = 10 << 20
        let entries = try await entries(of: "head -c \(size) /dev/zero | tr '\\0' x; echo; echo next")
        #expect(entries.last?.text("MESSAGE") == "next")
        let pieces = entries.dropLast()
        #expect(pieces.map { $0["MESSAGE"]?.count ?? 0 }.reduce(0, +) == size)
        #expect(pieces.dropLast().allSatisfy { $0.text("BATON_LINE_BREAK") == "line-max" })
        #expect(pieces.dropLast().allSatisfy { $0["MESSAGE"]?.count == LineCutter.limit })
        #expect(pieces.last.map { $0["BATON_LINE_BREAK"] } == .some(nil))
    }

    @Test func bytesThatAreNoTextArriveAsTheyAre() async throws {
        let path = "/tmp/baton-bytes-\(UInt32.random(in: 0 ... .max))"
        defer { unlink(path) }
        let sent = try randomBytes(200_000) + Bytes("\nPRIORITY=0\nMESSAGE\n".utf8) + [0, 1, 2, 0xff, 10]
        try Files.write(path, sent, mode: 0o644)
        let entries = try await entries(of: "cat \(path)")
        #expect(entries.allSatisfy { $0.text("PRIORITY") == "6" })
        let lines = sent.split(separator: 10).map { Bytes($0) }
        #expect(entries.compactMap { $0["MESSAGE"] } == lines)
    }

    @Test func aJournalThatIsSlowGetsEveryLine() async throws {
        let entries = try await entries(of: "seq 1 3000; sleep 0.2; seq 3001 6000", pause: 200)
        #expect(entries.compactMap { $0.text("MESSAGE") } == (1...6000).map { "\($0)" })
    }

    @Test func aFloodThatTheJournalTakesLosesNothing() async throws {
        let entries = try await entries(of: "seq 1 40000 & seq 1 10000 >&2; wait")
        for (stream, count) in [("stdout", 40_000), ("stderr", 10_000)] {
            let lines = entries.filter { $0.text("BATON_STREAM") == stream }.compactMap { $0.text("MESSAGE") }
            #expect(lines.count == count)
            #expect(lines == (1...count).map { "\($0)" })
        }
    }

    @Test func aJournalThatTakesNothingHoldsNothingUp() async throws {
        try await FakeJournal.open { journal in
            try await withRun(
                "seq 1 20000; head -c 30000 /dev/zero | tr '\\0' x; echo",
                configure: {
                    $0.output = .journal
                    $0.journalSocket = journal.path
                }
            ) { run in
                let before = run.go(for: .seconds(10))
                let end = try await run.end()
                #expect(end.exit == .code(0))
                #expect(end.at < before - .seconds(5))
                let entries = journal.receive()
                #expect(!entries.isEmpty && entries.count < 20000)
                #expect(try FakeJournal.fields(entries[0]).text("MESSAGE") == "1")
            }
        }
    }

    /// The numbers that were printed, and what else there was.
    private static func sorted(_ entries: [FakeJournal.Entry]) -> (lines: [Int], notes: [FakeJournal.Entry]) {
        var lines: [Int] = []
        var notes: [FakeJournal.Entry] = []
        for entry in entries {
            if entry.keys.contains("MESSAGE_ID") {
                notes.append(entry)
            } else {
                lines.append(entry.text("MESSAGE").flatMap { Int($0) } ?? -1)
            }
        }
        return (lines, notes)
    }

    @Test func whatAHungJournalMissesIsCountedAndTold() async throws {
        try await FakeJournal.open { journal in
            try await withRun(
                "seq 1 20000; echo up > up; while [ ! -e more ]; do sleep 0.05; done; seq 20001 20010",
                configure: {
                    $0.output = .journal
                    $0.journalSocket = journal.path
                }
            ) { run in
                _ = run.go(for: .seconds(20))
                // All of it was written though the journal takes nothing: what it misses is dropped.
                _ = try await run.wrote("up")
                let first = try journal.receive().map(FakeJournal.fields)
                try Files.write("\(run.scratch)/more", [10])
                var rest: [FakeJournal.Entry] = []
                try await until {
                    rest += try journal.receive().map(FakeJournal.fields)
                    return rest.last?.text("MESSAGE") == "20010" ? () : nil
                }
                _ = try await run.end()
                let (lines, notes) = Self.sorted(first + rest)
                #expect(!notes.isEmpty)
                var lost = 0
                for note in notes {
                    #expect(note.text("MESSAGE_ID") == EventKind.outputDropped.id)
                    #expect(note.text("BATON_JOB") == "job")
                    let count = try #require(note.text("BATON_DROPPED_LINES"))
                    #expect(note.text("MESSAGE")?.hasPrefix("\(count) lines of stdout dropped (") == true)
                    lost += try #require(Int(count))
                }
                #expect(lines.count + lost == 20010)
                #expect(lines.first == 1)
                #expect(zip(lines, lines.dropFirst()).allSatisfy { $0 < $1 })
                #expect(Array(lines.suffix(10)) == Array(20001...20010))
            }
        }
    }
}
