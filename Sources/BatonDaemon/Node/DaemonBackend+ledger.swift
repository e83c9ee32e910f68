// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem

/// Jobs with a schedule: what the store knows of their ticks, and runs that operators ask for.
extension DaemonBackend {
    func history(job: String, limit: Int) async throws(ControlError) -> HistoryReport {
        _ = try schedule(of: job, wanted: "it has no history")
        return try await asking { () async throws(LockError) in
            let view = try await look(at: job, withLedger: true)
            return HistoryReport(job: job, view, lines: try await lines(of: job, limit), limit: limit)
        }
    }

    func next(job: String, count: Int) async throws(ControlError) -> NextReport {
        let settings = try schedule(of: job, wanted: "it has no ticks")
        // Without the store the schedule is all there is; it says the same unless a tick is late.
        let view = store.state == .connected ? try? await look(at: job, withLedger: true) : nil
        return NextReport(job: job, settings, position: view?.ledger?.entry?.tick, at: tickTime, count: count)
    }

    func run(job: String, endsWanted: Bool) async throws(ControlError) -> Int64? {
        try checkAct(on: job)
        let mark = try await mark(of: job)
        if mark?.kind == .paused { throw .failed("\(job) is paused: `batonctl resume \(job)` lets it be started") }
        if board.definition(of: job)?.schedule == nil {
            if endsWanted {
                throw .failed("\(job) has no schedule: it is kept running, and there is no end to wait for")
            }
            try await setMark(nil, on: job)
            board.runner(of: job)?.send(.runRequested)
            return nil
        }
        let asked = try await asking { () async throws(LockError) in try await ask(for: job, letGo: mark != nil) }
        board.runner(of: job)?.send(.runRequested)
        return asked
    }

    func request(_ id: Int64, of job: String) async throws(ControlError) -> RequestReport {
        _ = try schedule(of: job, wanted: "nobody can ask for a run of it")
        return try await asking { () async throws(LockError) in
            let view = try await look(at: job, withLedger: true)
            // Not each time: most requests are looked at while they wait, or run.
            let report = RequestReport(job: job, id: id, view, lines: [])
            if report.state == .waiting || report.state == .running { return report }
            let lines = try await lines(of: job, Self.mostLines).compactMap { $0 }
            return RequestReport(job: job, id: id, view, lines: lines)
        }
    }

    /// What of a job depends on its schedule.
    func tellOfTicks(_ job: inout StatusReport.Job, _ view: LockView?) {
        guard let definition = board.definition(of: job.name), let settings = definition.schedule else { return }
        job.kind = "scheduled"
        job.ledger = view.flatMap { LedgerReport($0) }
        if !definition.enabled { return }
        job.nextTick =
            settings.nextTick(of: job.name, after: view?.ledger?.entry?.tick, at: tickTime).map { RFC3339.text(of: $0) }
    }

    /// So many a store keeps.
    private static let mostLines = 100

    private func lines(of job: String, _ limit: Int) async throws(LockError) -> [HistoryLine?] {
        let lock = lock(of: job)
        let lines = try await lock.store.history(of: lock.keys, limit: limit, timeout: lock.policy.answerTimeout)
        return lines.map { HistoryLine(decoding: $0) }
    }

    /// By the store's clock, or this machine's until that is known.
    var tickTime: Int64 { context.store.tickTime() ?? WallClock.microseconds() }

    /// - Parameter wanted: what a job without a schedule does not have.
    private func schedule(of job: String, wanted: String) throws(ControlError) -> ScheduleSettings {
        try known(job)
        guard let definition = board.definition(of: job) else { throw .unknownJob(job) }
        guard let settings = definition.schedule else {
            throw .failed("\(job) has no schedule: it is kept running, and \(wanted)")
        }
        return settings
    }

    /// A run by whichever node.
    ///
    /// - Parameter letGo: whether a mark is in the way.
    private func ask(for job: String, letGo: Bool) async throws(LockError) -> Int64 {
        let lock = lock(of: job)
        let timeout = context.storeSettings.requestTimeout
        if letGo {
            try await store.locks.setMark(nil, on: lock.keys, timeout: timeout)
            context.marks.forget(job)
        }
        let request = AskRequest(keys: lock.keys, by: context.name, call: Token.fresh())
        do throws(LockError) {
            return try await lock.store.ask(request, timeout: timeout).reply.id
        } catch {
            guard error.isPassing else { throw error }
            // The answer may have been lost: the same call is the same request.
            return try await lock.store.ask(request, timeout: timeout).reply.id
        }
    }
}
