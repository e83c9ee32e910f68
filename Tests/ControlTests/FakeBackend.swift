// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import Synchronization

/// A daemon of three jobs that does what it is told and remembers it.
final class FakeBackend: ControlBackend {
    private let acts = Mutex<[String]>([])
    private let output: [UInt8]
    private let report: StatusReport
    /// What is wrong with the files.
    private let refusal: ReloadRefusal?
    private let looks: Mutex<[RequestReport]>

    init(
        report: StatusReport = FakeBackend.sample, output: [UInt8] = Array("hello\n".utf8),
        refusal: ReloadRefusal? = nil, looks: [RequestReport] = [.init(job: "report", id: 41, state: .waiting)]
    ) {
        self.looks = Mutex(looks)
        self.refusal = refusal
        self.report = report
        self.output = output
    }

    let events = EventLog(node: "web-1")

    /// What was asked for, in order: `stop report`, `run report`.
    var performed: [String] { acts.withLock { $0 } }

    func status(job: String?) async throws(ControlError) -> StatusReport {
        guard let job else { return report }
        var report = report
        report.jobs = report.jobs.filter { $0.name == job }
        if report.jobs.isEmpty { throw .unknownJob(job) }
        return report
    }

    func logs(job: String) async throws(ControlError) -> RecentOutput {
        _ = try await status(job: job)
        return RecentOutput(bytes: output, note: job == "mail" ? "mail runs on web-2" : nil)
    }

    func follow(job: String, lines: Int) async throws(ControlError) -> any FollowedOutput {
        _ = try await status(job: job)
        return MadeUpOutput(lines: lines, last: job == "mail" ? 3 : .max, closed: closed)
    }

    /// How many have followed, and do not any more.
    let closed = Counter()

    final class Counter: Sendable {
        private let count = Mutex(0)
        var value: Int { count.withLock { $0 } }
        func add() { count.withLock { $0 += 1 } }
    }

    /// One number after the other.
    private struct MadeUpOutput: FollowedOutput {
        let lines: Int
        let last: Int
        let closed: Counter
        var number = -3

        mutating func next() async throws -> LogFrame? {
            number += 1
            switch number {
            case -2: return .run("r-1", fence: 7)
            case -1: return .output(Array("\(lines) lines\n".utf8))
            case 0: return .skipped(12)
            case ...last:
                try await Task.sleep(for: .milliseconds(1))
                return .output(Array("\(number)\n".utf8))
            case last &+ 1: return .ended("r-1")
            default: return nil
            }
        }

        func close() { closed.add() }
    }

    func stop(job: String) async throws(ControlError) -> StopReport {
        try await act("stop", job)
        return StopReport(job: job, isHeldDown: job != "mail", runID: "r-1", node: "web-1")
    }

    func pause(job: String, for duration: Duration?) async throws(ControlError) {
        try await act("pause" + (duration.map { " \($0.milliseconds)" } ?? ""), job)
    }

    func resume(job: String) async throws(ControlError) { try await act("resume", job) }

    func nodes() async throws(ControlError) -> NodesReport {
        var other = NodesReport.Node(name: "web-2", instance: "fedcba9876543210")
        other.version = "0.1.0"
        other.since = "2026-11-23T02:00:00Z"
        (other.running, other.standby) = (1, 2)
        other.differences = [.init(job: "report", kind: .differs, from: "web-1")]
        return NodesReport(node: "web-1", nodes: [NodesReport.Node(name: "web-1", instance: "abc"), other])
    }

    func explain(job: String) async throws(ControlError) -> Explanation {
        guard let shown = report.jobs.first(where: { $0.name == job }) else {
            throw .unknownJob(job, nearest: "report")
        }
        return Explanation(ExplainFacts(node: report.node, job: job, state: shown.state, timeout: .seconds(15)))
    }

    func run(job: String, endsWanted: Bool) async throws(ControlError) -> Int64? {
        // "report" has a schedule.
        if endsWanted, job != "report" { throw .failed("\(job) has no schedule") }
        try await act("run", job)
        return job == "report" ? 41 : nil
    }

    /// What has become of the run that was asked for, look by look; the last one stays.
    func request(_ id: Int64, of job: String) async throws(ControlError) -> RequestReport {
        try await check(job)
        return looks.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }

    func history(job: String, limit: Int) async throws(ControlError) -> HistoryReport {
        try await check(job)
        if job == "mail" { throw .failed("mail has no schedule: it is kept running, and it has no history") }
        return HistoryReport(job: job, runs: job == "held" ? [] : Array(Self.runs.prefix(limit)), unreadable: 0)
    }

    func next(job: String, count: Int) async throws(ControlError) -> NextReport {
        try await check(job)
        return NextReport(
            job: job, ScheduleSettings(.every(seconds: 60)), position: nil, at: 1_795_694_400_000_000, count: count)
    }

    /// The newest first: one that goes on, one that failed and printed something, ticks without a run.
    static var runs: [HistoryLine] {
        var running = HistoryLine(tick: "2026-11-23T02:03:00Z", outcome: "running")
        (running.attempt, running.node, running.fence, running.isManual) = (1, "web-1", 9, true)
        var failed = HistoryLine(tick: "2026-11-23T02:02:00Z", outcome: "failed")
        (failed.attempt, failed.node, failed.fence, failed.exitCode) = (2, "evil\u{1b}[31m", 8, 3)
        (failed.started, failed.finished) = ("2026-11-23T02:02:00Z", "2026-11-23T02:02:07Z")
        (failed.reason, failed.output) = ("exit code 3", "one\n\ttwo \u{1b}]0;owned\u{7}\n")
        var missed = HistoryLine(tick: "2026-11-23T01:00:00Z", outcome: "missed")
        (missed.lastTick, missed.count, missed.moreBefore) = ("2026-11-23T02:01:00Z", 61, true)
        return [running, failed, missed]
    }

    func reload() async throws(ControlError) -> ReloadReport {
        if let refusal { throw .badFiles(refusal) }
        acts.withLock { $0.append("reload") }
        return Self.changes
    }

    func difference() async throws(ControlError) -> ReloadReport {
        if let refusal { throw .badFiles(refusal) }
        return Self.changes
    }

    func prepareReplacement() async throws(ControlError) {
        if refusal != nil { throw .failed("nothing was done: the new one would not start") }
    }

    func replace() { acts.withLock { $0.append("reexec") } }

    static var changes: ReloadReport {
        var report = ReloadReport()
        report.added = ["backup"]
        report.changed = [.init(job: "mail", keys: ["description"]), .init(job: "report", keys: ["command"])]
        report.restarted = ["report"]
        report.unchanged = ["held"]
        report.node.needsRestart = ["store.url"]
        report.warnings = ["/etc/baton/jobs.d/report.toml:1: command: /no/such does not exist"]
        return report
    }

    private func act(_ name: String, _ job: String) async throws(ControlError) {
        try await check(job)
        acts.withLock { $0.append("\(name) \(job)") }
    }

    private func check(_ job: String) async throws(ControlError) {
        if job == "storeless" { throw .storeUnreachable("valkey://127.0.0.1:6379/0 refuses connections") }
        if job == "broken" { throw .failed("the mark was refused") }
        _ = try await status(job: job)
    }

    static var sample: StatusReport {
        var report = StatusReport.Job(name: "report", description: "Nightly report", state: .running)
        report.holder = .init(node: "web-1", runID: "r-1", fence: 1_763_884_800_123_456, since: "2026-11-23T02:00:00Z")
        report.run = .init(runID: "r-1", pid: 4242, leaseUntilMilliseconds: 12345, attempt: 1)
        report.lastRun = .init(
            runID: "r-0", outcome: "failed", exitCode: 3, signal: nil, reason: nil, node: "web-1",
            finished: "2026-11-23T01:59:58Z")
        var mail = StatusReport.Job(name: "mail", state: .standby)
        mail.holder = .init(node: "web-2", runID: "m-1", fence: 7, since: "2026-11-22T02:00:00Z")
        var held = StatusReport.Job(name: "held", state: .heldDown)
        held.reason = "stopped by uid 0 on web-2"
        return StatusReport(
            node: "web-1", instance: "abc", version: "0.1.0",
            store: .init(url: "valkey://127.0.0.1:6379/0", state: "connected"), jobs: [report, mail, held])
    }
}
