// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing
import batonctl

@Suite struct StatusTextTests {
    @Test func whatTheStoreSaysCannotSteerTheTerminal() {
        var job = StatusReport.Job(name: "a", description: "x\u{9b}2J", state: .running)
        job.holder = .init(node: "evil\u{1b}]0;owned\u{7}", runID: "r\n1", fence: 1, since: "now\u{202e}")
        job.reason = "line one\nline two"
        let report = StatusReport(
            node: "n", instance: "i", version: "v", store: .init(url: "u", state: "unreachable: \u{1b}[31m"),
            jobs: [job],
            warnings: ["w\r"])
        for text in [StatusTable.text(report), StatusDetail.text(job, in: report, at: 0)] {
            let odd = text.unicodeScalars.filter {
                ($0.value < 0x20 && $0 != "\n") || (0x7f..<0xa0).contains($0.value) || $0.value == 0x202e
            }
            #expect(odd.isEmpty, "\(text.debugDescription)")
            #expect(text.contains("evil\\x1b]0;owned\\x07"))
        }
    }

    @Test func reasonsOfSeveralLinesAreNotCrowdedIntoOne() {
        var job = StatusReport.Job(name: "a", state: .invalid)
        job.reason = "x.toml:1: first\nx.toml:2: second\nx.toml:3: third"
        let report = StatusReport(
            node: "n", instance: "i", version: "1", store: .init(url: "u", state: "connected"), jobs: [job])
        #expect(StatusTable.text(report).contains("x.toml:1: first (and 2 more: batonctl status JOB)"))
        #expect(
            StatusDetail.text(job, in: report, at: 0).contains(
                "  reason    x.toml:1: first\n            x.toml:2: second\n            x.toml:3: third"))
    }

    @Test func theLastRunSaysOnceWhyItFailed() {
        var job = StatusReport.Job(name: "a", state: .backoff)
        job.lastRun = .init(
            runID: "r", outcome: "failed", exitCode: 3, signal: nil, reason: "exit code 3", node: "n",
            finished: "1970-01-01T00:00:00Z")
        let report = StatusReport(
            node: "n", instance: "i", version: "1", store: .init(url: "u", state: "connected"), jobs: [job])
        #expect(
            StatusDetail.text(job, in: report, at: 4).hasSuffix(
                "last run  failed (exit code 3) on n, 1970-01-01T00:00:00Z (4 s ago)"))
    }

    @Test func aScheduledJobHasItsNextTickAndItsLastRunAnywhere() throws {
        var job = StatusReport.Job(name: "a", kind: "scheduled", state: .standby)
        job.nextTick = "1970-01-01T00:02:00Z"
        var view = LockView(token: nil, fence: 7)
        let info = HolderRecord(node: "evil\u{1b}", runID: "r", since: "").encode()
        var entry = LedgerEntry(tick: 60, attempt: 2, fence: 7, changed: 61_000_000, outcome: [], info: info)
        func text(_ outcome: RunEnding?, asked: LedgerView.Asked? = nil) throws -> String {
            entry.outcome = outcome?.bytes
            view.ledger = LedgerView(entry: entry, asked: asked)
            job.ledger = LedgerReport(view)
            let report = StatusReport(
                node: "n", instance: "i", version: "1", store: .init(url: "u", state: "connected"), jobs: [job])
            let row = "FENCE  NEXT TICK\na    standby  -       -      -      1970-01-01T00:02:00Z"
            #expect(StatusTable.text(report).contains(row))
            let lines = StatusDetail.text(job, in: report, at: 70).split(separator: "\n").dropFirst(5)
            return lines.joined(separator: "\n")
        }
        #expect(
            try text(.failed) == """
                  next tick 1970-01-01T00:02:00Z
                  last run  failed on evil\\x1b, 1970-01-01T00:01:01Z (9 s ago)
                  tick      1970-01-01T00:01:00Z, attempt 2
                """)
        let began = "began on evil\\x1b at 1970-01-01T00:01:01Z (9 s ago); nobody has said how it ended"
        #expect(try text(nil).contains(began))
        view.token = [1]
        #expect(try text(nil).contains("running on evil\\x1b since 1970-01-01T00:01:01Z"))
        entry.manual = 5
        #expect(try text(.succeeded).hasSuffix("  tick      none: an operator asked for it"))
        // Settled further since: which tick it was is not known any more.
        entry = LedgerEntry(tick: 90, attempt: 0, fence: 7, changed: 61_000_000, outcome: [], info: info)
        #expect(try !text(.succeeded).contains("tick      "))
        entry = LedgerEntry(tick: 90, attempt: 0, fence: 0, changed: 0)
        #expect(
            try text(nil, asked: .init(id: 9, by: "web-1")).hasSuffix(
                """
                  last run  none yet; ticks count from 1970-01-01T00:01:30Z on
                  asked for a run, on web-1; no node has started it yet
                """))
    }

    @Test func warningsAndTheStoreComeFirst() {
        let report = StatusReport(
            node: "n", instance: "i", version: "1", store: .init(url: "sqlite:///x", state: "connecting"), jobs: [],
            warnings: ["the store may evict"])
        #expect(
            StatusTable.text(report)
                == "node   n, batond 1\nstore  sqlite:///x, connecting\nwarning: the store may evict\n\nno jobs")
    }

    @Test(arguments: [
        (-60.0, "in the future: the clocks differ"), (0.2, "now"), (4, "4 s ago"), (192, "3 min 12 s ago"),
        (7260, "2 h 1 min ago"), (90000, "1 d 1 h ago"),
    ])
    func agesAreShort(_ seconds: Double, _ text: String) {
        #expect(StatusDetail.age(seconds) == text)
    }

    @Test(arguments: [
        (
            #"{"a":1,"b":[],"c":{},"d":[1,{"e":"x,{:\"]"}]}"#,
            "{\n  \"a\": 1,\n  \"b\": [],\n  \"c\": {},\n  \"d\": [\n    1,\n    {\n      \"e\": \"x,{:\\\"]\"\n    }\n  ]\n}"
        ),
        (" [ [ 1763884800123456 , null ] ]\n", "[\n  [\n    1763884800123456,\n    null\n  ]\n]"),
        ("\"\u{9b}\"", "\"\\u009b\""),
        ("[\"[\",2]", "[\n  \"[\",\n  2\n]"),
    ])
    func prettyJSONIsTheSameJSON(_ json: String, _ pretty: String) {
        #expect(JSONText.pretty(Array(json.utf8)) == pretty)
    }
}
