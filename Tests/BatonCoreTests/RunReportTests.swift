// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// What operators are told of runs, by the lock, the ledger and the history.
@Suite struct RunReportTests {
    private let info = HolderRecord(node: "web-1", runID: "r", since: "2026-11-23T02:00:00Z").encode()

    private func entry(
        attempt: Int = 1, manual: Int64? = nil, fence: Int64 = 50, outcome: RunEnding? = nil
    ) -> LedgerEntry {
        LedgerEntry(
            tick: 60, attempt: attempt, manual: manual, fence: fence, changed: 0, outcome: outcome?.bytes, info: info)
    }

    private func view(
        _ entry: LedgerEntry? = nil, asked: Int64? = nil, held: Bool = false, fence: Int64 = 50
    ) -> LockView {
        let asked = asked.map { LedgerView.Asked(id: $0, by: "web-1") }
        return LockView(token: held ? [1] : nil, fence: fence, ledger: LedgerView(entry: entry, asked: asked))
    }

    private func line(_ fence: Int64, manual: Bool = true, _ outcome: String = "succeeded") -> HistoryLine {
        var line = HistoryLine(tick: "t", outcome: outcome)
        (line.fence, line.isManual) = (fence, manual)
        return line
    }

    // MARK: Requests

    private func state(_ view: LockView, _ lines: [HistoryLine] = []) -> RequestReport.State {
        RequestReport(job: "report", id: 41, view, lines: lines).state
    }

    @Test func aRequestIsFollowedFromTheLedgerIntoTheHistory() {
        #expect(state(view(asked: 41)) == .waiting)
        #expect(state(view(entry(manual: 41), held: true)) == .running)
        // The lock is free, or another's: nobody has said how it ended.
        #expect(state(view(entry(manual: 41))) == .unknown)
        #expect(state(view(entry(manual: 41), held: true, fence: 51)) == .unknown)
        #expect(state(view(entry(manual: 41, outcome: .succeeded))) == .ended)
        // Nothing was started: there is another attempt.
        #expect(state(view(entry(manual: 41, outcome: .withdrawn))) == .waiting)
        #expect(state(view(entry(attempt: 0, manual: 41)), [line(50, "lost")]) == .ended)
        #expect(state(view(entry(outcome: .failed)), []) == .unknown)
        #expect(state(view()) == .unknown)
    }

    @Test func theRunIsFoundWhenOthersCameAfterIt() {
        // The newest first: a tick's, a later request's, ours, one before.
        let lines = [line(90, manual: false), line(70), line(50, "failed"), line(45, manual: false), line(40)]
        let report = RequestReport(job: "report", id: 41, view(entry(fence: 90), held: true), lines: lines)
        #expect(report.state == .ended && report.run?.fence == 50)
        let last = RequestReport(job: "report", id: 41, view(entry(manual: 41, outcome: .failed)), lines: lines)
        #expect(last.run?.fence == 50 && last.run?.outcome == "failed")
    }

    @Test func exitCodes() {
        func code(_ change: (inout HistoryLine) -> Void) -> Int32 {
            var run = line(50, "failed")
            change(&run)
            return RequestReport(job: "report", id: 41, state: .ended, run: run).exitCode
        }
        #expect(code { $0.exitCode = 3 } == 3)
        #expect(code { ($0.outcome, $0.exitCode) = ("succeeded", 3) } == 3)
        #expect(code { $0.signal = 15 } == 143)
        #expect(code { $0.outcome = "lost" } == 1)
        #expect(code { $0.outcome = "succeeded" } == 0)
        // What somebody wrote into the store.
        #expect(code { $0.exitCode = 256 } == 1)
        #expect(code { $0.signal = .max } == 1)
        #expect(RequestReport(job: "report", id: 41, state: .unknown).exitCode == 1)
    }

    // MARK: The history

    @Test func aRunThatGoesOnIsTheFirstOfTheHistory() {
        func outcomes(_ view: LockView, _ lines: [HistoryLine?] = []) -> [String] {
            HistoryReport(job: "report", view, lines: lines, limit: 2).runs.map(\.outcome)
        }
        #expect(outcomes(view(entry(), held: true)) == ["running"])
        #expect(outcomes(view(entry())) == ["unknown"])
        // It ended between the two questions.
        #expect(outcomes(view(entry(), held: true), [line(50, "failed")]) == ["failed"])
        #expect(outcomes(view(entry(outcome: .failed)), [line(50, "failed")]) == ["failed"])
        #expect(outcomes(view(entry(attempt: 0))) == [])
        #expect(outcomes(view(entry(), held: true), [line(3, "a"), nil, line(2, "b")]) == ["running", "a"])
        let report = HistoryReport(job: "report", view(), lines: [nil, line(2)], limit: 10)
        #expect(report.unreadable == 1 && report.runs.count == 1)
        let run = HistoryReport(job: "report", view(entry(), held: true), lines: [], limit: 1).runs.first
        #expect(run?.node == "web-1" && run?.runID == "r" && run?.tick == "1970-01-01T00:01:00Z")
    }

    // MARK: The next tick

    @Test func theNextTickIsOneWhoseRunIsToCome() {
        var settings = ScheduleSettings(.every(seconds: 60))
        func next(after position: Int64?, at seconds: Int64) -> Int64? {
            settings.nextTick(of: "report", after: position, at: seconds * 1_000_000)
        }
        #expect(next(after: nil, at: 600) == 660)
        #expect(next(after: 540, at: 599) == 600)
        // Overdue, because a run goes on or nobody is up: the next one is to come.
        #expect(next(after: 0, at: 630) == 660)
        // The ledger of a store whose clock is ahead.
        #expect(next(after: 6000, at: 600) == 6060)
        settings.jitter = .seconds(50)
        let delay = settings.delay(ofTick: 600, job: "report").milliseconds
        #expect(delay > 1000)
        #expect(next(after: 540, at: 601) == 600)
        // It was claimed already, by a node whose clock is ahead.
        #expect(next(after: 600, at: 601) == 660)
        #expect(settings.nextTick(of: "report", after: 540, at: 600_000_000 + delay * 1000) == 660)
        settings = ScheduleSettings(.every(seconds: 1))
        settings.jitter = .seconds(86400)
        let found = next(after: nil, at: 1_000_000) ?? 0
        #expect((913_600...1_000_001).contains(found))
        let report = NextReport(job: "report", settings, position: nil, at: 1_000_000_000_000, count: 3)
        #expect(report.ticks.first?.tick == RFC3339.text(of: found) && report.ticks.count == 3)
    }
}
