// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Logging
import Testing

@testable import BatonDaemon

/// What is remembered of a node's events, and who is told.
@Suite struct EventLogTests {
    private func logger(_ events: EventLog, level: Logger.Level = .critical) -> Logger {
        Logger(label: "test") { _ in
            var quiet = SilentHandler()
            quiet.logLevel = level
            return EventLogHandler(quiet, events)
        }
    }

    /// A log that says nothing, and would be heard if it were asked to.
    private struct SilentHandler: LogHandler {
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            #expect(event.level >= .critical, "the level is the log's own")
        }
    }

    @Test func whatHasAKindIsAnEventWhateverTheLevel() throws {
        let events = EventLog(node: "web-1")
        var logger = logger(events)
        logger[metadataKey: "job"] = "report"
        logger.info("no kind")
        logger.log(level: .info, "running", event: .runStarted, metadata: ["run": "r-1", "node": "other", "id": "9"])
        logger.log(level: .warning, "run ended", event: .runFailed, metadata: ["detail": "exit\n3"])
        let all = events.last(9, of: nil)
        try #require(all.map(\.event) == ["run-started", "run-failed"])
        #expect(all.map(\.id) == [1, 2])
        // Nothing takes the place of what an event is known by.
        #expect(all[0].node == "web-1" && all[0].fields == ["job": "report", "run_id": "r-1"])
        #expect(all[1].fields == ["job": "report", "detail": "exit\n3"])
        #expect(all[0].time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
    }

    @Test func itsJSONIsFlatAndIsReadAgain() throws {
        let event = NodeEvent(
            id: 7, time: "2026-11-23T02:00:00.120Z", node: "web-1", event: "run-failed", level: "warning",
            message: "run ended", fields: ["job": "report", "run": "r-1", "exit_code": "3"])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let text = String(decoding: try encoder.encode(event), as: UTF8.self)
        #expect(
            text == #"{"event":"run-failed","exit_code":"3","id":7,"job":"report","level":"warning","#
                + #""message":"run ended","node":"web-1","run_id":"r-1","time":"2026-11-23T02:00:00.120Z"}"#)
        #expect(try JSONDecoder().decode(NodeEvent.self, from: Data(text.utf8)) == event)
        // A later version's.
        let later = text.replacingOccurrences(of: #""exit_code":"3""#, with: #""load":[1,2],"more":true"#)
        #expect(try JSONDecoder().decode(NodeEvent.self, from: Data(later.utf8)).fields.count == 2)
    }

    @Test func whatIsLongIsCutAndWhatIsMuchIsLeftOut() {
        let fields = Dictionary(uniqueKeysWithValues: (0..<99).map { ("k\($0)", String(repeating: "ü", count: 9000)) })
        let event = NodeEvent(id: 1, time: "", node: "", event: "", level: "", message: "", fields: fields)
        #expect(event.fields.count == 16 && event.fields.values.allSatisfy { $0.unicodeScalars.count == 1001 })
    }

    @Test func theLastThousandAreRemembered() {
        let events = EventLog(node: "a")
        for number in 1...4321 {
            events.add(.standby, .info, "standby", ["job": "\(number % 2 == 0 ? "even" : "odd")"])
        }
        #expect(events.last(5000, of: nil).map(\.id) == Array(3322...4321))
        #expect(events.last(3, of: "odd").map(\.id) == [4317, 4319, 4321])
        #expect(events.last(0, of: nil).isEmpty && events.last(9, of: "none").isEmpty)
    }

    @Test func aFollowerIsToldInOrderAndWhatItMissed() async {
        let events = EventLog(node: "a")
        for _ in 1...5 { events.add(.standby, .info, "standby", ["job": "report"]) }
        let follower = events.follow(2, of: "report")
        events.add(.standby, .info, "standby", ["job": "other"])
        events.add(.standby, .info, "standby", ["job": "report"])
        var news = await follower.next(until: .distantFuture)
        #expect(news.events.map(\.id) == [4, 5, 7] && news.dropped == 0)
        for _ in 1...1500 { events.add(.standby, .info, "standby", ["job": "report"]) }
        news = await follower.next(until: .distantFuture)
        #expect(news.dropped == 500 && news.events.map(\.id) == Array(508...1507))
        // Nothing more: it waits, and is woken.
        let empty = await follower.next(until: BootClock.now() + .milliseconds(20))
        #expect(empty.events.isEmpty)
        async let next = follower.next(until: .distantFuture)
        events.add(.standby, .info, "standby", ["job": "report"])
        #expect(await next.events.map(\.id) == [1508])
        events.end(follower)
        events.add(.standby, .info, "standby", ["job": "report"])
        #expect(await follower.next(until: BootClock.now() + .milliseconds(20)).events.isEmpty)
    }
}
