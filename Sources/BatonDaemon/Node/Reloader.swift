// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonSystem
import Dispatch
import Logging
import Synchronization

/// Reads the node's files again and has the board act on them: one reload after the other, all of it or nothing.
final class Reloader: Sendable {
    private let files: NodeFiles
    private let board: JobBoard
    private let store: Store
    private let registration: Registration
    private let notify: Notify
    private let level: LogLevel
    private let logger: Logger
    /// Reading blocks, and two reloads must not mix.
    private let queue = DispatchQueue(label: "baton.reload")

    private struct State {
        /// What the daemon runs with.
        var settings: NodeSettings
        /// The node told systemd that it is up.
        var isUp = false
        var lastReload: LastReload
        /// What is to be seen in `status` of the last reload.
        var warnings: [String] = []
    }
    private let state: Mutex<State>

    /// What became of the files when they were last read to be used.
    struct LastReload: Sendable {
        var isGood = true
        /// When they were last taken over, in microseconds since 1970.
        var doneAt = WallClock.microseconds()
    }

    /// - Parameter settings: what the daemon was started with.
    init(
        files: NodeFiles, settings: NodeSettings, board: JobBoard, store: Store, registration: Registration,
        notify: Notify, level: LogLevel, logger: Logger
    ) {
        self.files = files
        self.board = board
        self.store = store
        self.registration = registration
        self.notify = notify
        self.level = level
        self.logger = logger
        // The start has read them.
        state = Mutex(State(settings: settings, lastReload: LastReload()))
    }

    /// From now on systemd is told when a reload begins and ends. (What ends a reload would end the start as well.)
    func nodeIsUp() { state.withLock { $0.isUp = true } }

    /// Whether systemd is told of reloads.
    var isUp: Bool { state.withLock { $0.isUp } }

    /// What `status` shows: a reload that was refused, keys that wait for a restart.
    var warnings: [String] { state.withLock { $0.warnings } }

    var lastReload: LastReload { state.withLock { $0.lastReload } }

    /// Takes the files over as they are now.
    func reload() async throws(ControlError) -> ReloadReport {
        try await inTurn { () throws(ControlError) in
            if self.board.isDraining { throw .draining }
            let isUp = self.state.withLock { $0.isUp }
            if isUp { self.notify.reloading() }
            defer { if isUp { self.notify.ready() } }
            return try self.takeOver()
        }
    }

    /// What ``reload()`` would do; nothing is changed.
    func difference() async throws(ControlError) -> ReloadReport {
        try await inTurn { () throws(ControlError) in
            let (loaded, definitions) = try self.read()
            return self.complete(self.board.plan(definitions), loaded)
        }
    }

    private func inTurn(
        _ body: @escaping @Sendable () throws(ControlError) -> ReloadReport
    ) async throws(ControlError) -> ReloadReport {
        try await withCheckedContinuation { continuation in
            queue.async {
                continuation.resume(returning: Result { () throws(ControlError) in try body() })
            }
        }.get()
    }

    private func takeOver() throws(ControlError) -> ReloadReport {
        let begun = BootClock.now()
        do throws(ControlError) {
            let (loaded, definitions) = try read()
            guard let plan = board.apply(definitions) else { throw ControlError.draining }
            let report = complete(plan, loaded)
            registration.use(loaded.jobs.digests)
            level.change(to: loaded.node.settings.logLevel)
            state.withLock { state in
                state.settings.logLevel = loaded.node.settings.logLevel
                state.settings.jobDirectories = loaded.node.settings.jobDirectories
                state.warnings = Self.waiting(report).map { [$0] } ?? []
                state.lastReload = LastReload()
            }
            log(report, took: BootClock.now() - begun)
            return report
        } catch {
            refused(error)
            throw error
        }
    }

    /// Everything, checked; the jobs by the store and the launcher that are in use.
    private func read() throws(ControlError) -> (LoadedFiles, [JobDefinition]) {
        let loaded = files.load(for: state.withLock { $0.settings })
        guard loaded.errors.isEmpty else {
            throw .badFiles(
                ReloadRefusal(
                    errors: loaded.errors.map { FileProblem($0) }, warnings: loaded.warnings.map { FileProblem($0) }))
        }
        let definitions = loaded.jobs.jobs.compactMap { if case .valid(let job) = $0 { job } else { nil } }
        return (loaded, definitions)
    }

    /// The plan for the jobs, with what is to be said of the node and of doubtful values.
    private func complete(_ plan: ReloadReport, _ loaded: LoadedFiles) -> ReloadReport {
        var report = plan
        let change = state.withLock { $0.settings }.change(to: loaded.node.settings)
        report.node = .init(changed: change.counting, needsRestart: change.waiting)
        report.warnings = loaded.warnings.map { FileProblem($0).text }
        let touched = Set(report.added + report.changed.map(\.job))
        for case .valid(let job) in loaded.jobs.jobs where touched.contains(job.name) {
            report.warnings += doubts(of: job).map { "\(job.name): \($0)" }
        }
        return report
    }

    /// What does not suit a job's lease in the daemon as it was started.
    private func doubts(of job: JobDefinition) -> [String] {
        var doubts: [String] = []
        if let doubt = Notify.watchdogInterval().flatMap({ job.watchdogDoubt(interval: $0) }) { doubts.append(doubt) }
        if store.isSlow(for: job.lock.timeout) {
            doubts.append(
                "no job had such a short lock.timeout when batond started: a lost connection to the store may be made "
                    + "anew too late for it, until batond is restarted")
        }
        return doubts
    }

    private static func waiting(_ report: ReloadReport) -> String? {
        let keys = report.node.needsRestart
        if keys.isEmpty { return nil }
        return "batond.toml has changed in what counts only after a restart of batond: \(keys.joined(separator: ", "))"
    }

    private func refused(_ error: ControlError) {
        var metadata: Logger.Metadata = ["reason": "\(error)"]
        if case .badFiles(let refusal) = error {
            for problem in refusal.errors { logger.error("\(problem.text)") }
            metadata["errors"] = "\(refusal.errors.count)"
            let first = refusal.errors.first.map { ": " + $0.text } ?? ""
            state.withLock { state in
                state.warnings = ["the last reload, \(WallClock.rfc3339()), was refused\(first)"]
                state.lastReload.isGood = false
            }
        }
        logger.log(level: .error, "reload refused", event: .reloadFailed, metadata: metadata)
    }

    private func log(_ report: ReloadReport, took: Duration) {
        for warning in report.warnings { logger.warning("\(warning)") }
        if let waiting = Self.waiting(report) { logger.warning("\(waiting)") }
        for name in report.added { logger.info("added", metadata: ["job": "\(name)"]) }
        for name in report.removed { logger.info("removed", metadata: ["job": "\(name)"]) }
        for change in report.changed {
            logger.info(
                "changed", metadata: ["job": "\(change.job)", "keys": "\(change.keys.joined(separator: ", "))"])
        }
        logger.log(
            level: .notice, "reloaded", event: .reloadDone,
            metadata: [
                "added": "\(report.added.count)", "removed": "\(report.removed.count)",
                "changed": "\(report.changed.count)", "restarted": "\(report.restarted.count)",
                "unchanged": "\(report.unchanged.count)", "took": "\(took.milliseconds) ms",
            ])
    }
}
