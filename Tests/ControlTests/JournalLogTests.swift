// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import BatonTestSupport
import Foundation
import Logging
import Testing

@testable import BatonDaemon

/// The daemon's own log on its way into the journal.
@Suite(.timeLimit(.minutes(1))) struct JournalLogTests {
    private func logger(_ writer: JournalWriter) -> Logger {
        Logger(label: "test") { _ in JournalLogHandler(level: LogLevel(.debug), node: "web-1", journal: writer) }
    }

    @Test func metadataAreFieldsAndTheMessageIsReadableAlone() async throws {
        try await FakeJournal.open { journal in
            var logger = logger(try #require(JournalWriter(path: journal.path, node: "web-1")))
            logger[metadataKey: "job"] = "report"
            logger.log(
                level: .warning, "run ended", event: .runFailed,
                metadata: ["run": "r-1", "fence": "7", "detail": "exit code 3", "odd key": "a\nb\u{1b}"])
            logger.debug("no kind")
            let entries = try journal.receive().map(FakeJournal.fields)
            let entry = try #require(entries.first).mapValues { String(decoding: $0, as: UTF8.self) }
            #expect(
                entry.filter { !$0.key.hasPrefix("CODE_") } == [
                    "PRIORITY": "4", "SYSLOG_IDENTIFIER": "batond", "SYSLOG_FACILITY": "3", "BATON_NODE": "web-1",
                    "MESSAGE_ID": EventKind.runFailed.id, "BATON_EVENT": "run-failed", "BATON_JOB": "report",
                    "BATON_RUN_ID": "r-1", "BATON_FENCE": "7", "BATON_DETAIL": "exit code 3",
                    "BATON_ODD_KEY": "a\nb\u{1b}",
                    "MESSAGE":
                        "run ended job=report fence=7 \(#"odd key=a\nb\u{1B} run=r-1 detail="exit code 3""#)",
                ])
            #expect(entry["CODE_FILE"] == "ControlTests/JournalLogTests.swift")
            #expect(entries.count == 2)
            #expect(entries.last?.keys.contains("MESSAGE_ID") == false)
        }
    }

    @Test func whatTheNodeIsCalledCanNotBeReplacedAndNoFieldIsEndless() async throws {
        try await FakeJournal.open { journal in
            let logger = logger(try #require(JournalWriter(path: journal.path, node: "web-1")))
            var metadata: Logger.Metadata = ["node": "other", "NODE": "other", "a b": "1", "a-b": "2"]
            for number in 0..<40 { metadata["z\(number)"] = "\(String(repeating: "x", count: 100_000))" }
            logger.info("many", metadata: metadata)
            let entry = try FakeJournal.fields(try #require(journal.receive().first))
            #expect(entry.text("BATON_NODE") == "web-1")
            #expect(entry.text("BATON_A_B") == "1")
            #expect(entry.count < 30)
            #expect(entry.values.allSatisfy { $0.count < 9000 })
        }
    }

    @Test func aHungJournalIsNotWaitedForAndWhatIsDroppedIsTold() async throws {
        try await FakeJournal.open { journal in
            let writer = try #require(JournalWriter(path: journal.path, node: "web-1"))
            let logger = logger(writer)
            let begun = BootClock.now()
            for number in 1...20_000 { logger.info("message", metadata: ["number": "\(number)"]) }
            #expect(BootClock.now() - begun < .seconds(20))
            var entries: [FakeJournal.Entry] = []
            let deadline = BootClock.now() + .seconds(20)
            while BootClock.now() < deadline {
                entries += try journal.receive().map(FakeJournal.fields)
                if entries.last?.text("MESSAGE_ID") == EventKind.logDropped.id { break }
                try await Task.sleep(for: .milliseconds(1))
            }
            writer.flush(within: .seconds(5))
            let note = try #require(entries.last)
            let dropped = try #require(note.text("BATON_DROPPED_LINES").flatMap { Int($0) })
            #expect(note.text("MESSAGE") == "\(dropped) messages dropped here: the journal did not take them")
            let numbers = entries.dropLast().map { $0.text("BATON_NUMBER").flatMap { Int($0) } ?? -1 }
            #expect(numbers == Array(1...(20_000 - dropped)), "the oldest are kept, in order")
            #expect(numbers.count > 1000)
            logger.info("after")
            #expect(try journal.receive().map(FakeJournal.fields).map { $0.text("MESSAGE") } == ["after"])
        }
    }

    @Test func aJournalThatComesBackIsFoundAgain() async throws {
        var path = ""
        var writer: JournalWriter?
        try await FakeJournal.open { journal in
            path = journal.path
            writer = JournalWriter(path: journal.path, node: "web-1")
        }
        let log = logger(try #require(writer))
        log.info("to nobody")
        try await FakeJournal.open(at: path) { journal in
            log.info("to the new one")
            let entries = try journal.receive().map(FakeJournal.fields)
            #expect(
                entries.map { $0.text("MESSAGE") } == [
                    "1 message dropped here: the journal did not take them", "to the new one",
                ])
        }
        #expect(JournalWriter(path: path, node: "web-1") == nil)
    }

    @Test func standardErrorIsTheJournalOnlyIfItIsTheVeryStream() throws {
        var info = stat()
        #expect(fstat(STDERR_FILENO, &info) == 0)
        #expect(JournalSocket.isStandardError("\(info.st_dev):\(info.st_ino)"))
        for other in [nil, "", "\(info.st_dev):\(info.st_ino + 1)", "\(info.st_dev + 1):\(info.st_ino)", "x"] {
            #expect(!JournalSocket.isStandardError(other))
        }
    }
}
