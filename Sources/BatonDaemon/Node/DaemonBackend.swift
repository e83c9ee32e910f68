// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonLock
import BatonSystem

/// The control socket's view of the daemon.
struct DaemonBackend: ControlBackend {
    let board: JobBoard
    let context: NodeContext
    let store: Store
    let clockAlarm: ClockAlarm
    let registration: Registration
    let reloader: Reloader
    let succession: Succession
    let outlets: MetricsOutlets
    let events: EventLog

    func status(job: String?) async throws(ControlError) -> StatusReport {
        var jobs = context.board.all()
        if let job {
            jobs = jobs.filter { $0.name == job }
            if jobs.isEmpty { throw .unknownJob(job) }
        }
        async let divergence = divergenceWarnings()
        let views = await views(of: jobs.map(\.name))
        for index in jobs.indices {
            let view = views[jobs[index].name]
            jobs[index].holder = view.flatMap { StatusReport.Holder($0) }
            tellOfTicks(&jobs[index], view)
            tellOfMark(&jobs[index], view)
        }
        return StatusReport(
            node: context.name, instance: context.instance, version: BatonVersion.current,
            store: .init(url: store.url, state: stateText, replicas: replicas), jobs: jobs,
            warnings: context.runs.warnings + store.warnings + (clockAlarm.jump.map { [$0.warning] } ?? [])
                + reloader.warnings + registration.warnings + outlets.warnings + (await divergence))
    }

    /// Nil: none is waited for.
    private var replicas: Int? {
        let replicas = context.storeSettings.replicas
        return replicas == 0 ? nil : replicas
    }

    private var stateText: String {
        switch store.state {
        case .connecting: "connecting"
        case .connected: "connected"
        case .unreachable(let why): "unreachable: \(why)"
        }
    }

    /// Who holds each job's lock now, by the live locks. Empty while the store does not answer.
    func holders(of jobs: [String]) async -> [String: StatusReport.Holder] {
        await views(of: jobs).compactMapValues { StatusReport.Holder($0) }
    }

    /// Each job's lock now, with the ledger of one that has a schedule.
    private func views(of jobs: [String]) async -> [String: LockView] {
        guard store.state == .connected else { return [:] }
        return await withTaskGroup(of: (String, LockView?).self) { group in
            for job in jobs {
                let isScheduled = board.definition(of: job)?.schedule != nil
                group.addTask {
                    // A look that fails shows no holder: the store's own line says why.
                    (job, try? await look(at: job, withLedger: isScheduled))
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    func look(at job: String, withLedger: Bool) async throws(LockError) -> LockView {
        let lock = lock(of: job)
        return try await lock.store.look(at: lock.keys, withLedger: withLedger, timeout: lock.policy.answerTimeout)
    }

    func lock(of job: String) -> LockClient {
        context.lock(of: job, timing: context.timing(of: context.storeSettings.maxLockTimeout))
    }

    func reload() async throws(ControlError) -> ReloadReport { try await reloader.reload() }

    func difference() async throws(ControlError) -> ReloadReport { try await reloader.difference() }

    func prepareReplacement() async throws(ControlError) {
        if board.isDraining { throw .draining }
        try await succession.prepare()
    }

    func replace() { succession.begin() }

    /// - Throws: for a job that nobody can do anything with.
    func checkAct(on job: String) throws(ControlError) {
        let shown = try known(job)
        // Ineligible here is no reason: the act counts for the whole fleet.
        if shown.state == .disabled { throw .failed("\(job) is disabled in its job file") }
    }

    /// - Throws: for a job that this node does not have, or whose file is not valid.
    @discardableResult
    func known(_ job: String) throws(ControlError) -> StatusReport.Job {
        guard let shown = context.board.job(job) else {
            throw .unknownJob(job, nearest: Spelling.nearest(to: job, among: Set(context.board.all().map(\.name))))
        }
        if shown.state == .invalid { throw .failed("the file of \(job) is invalid: `batonctl status \(job)` says why") }
        return shown
    }

    /// Asks the store; what it refuses, and that it does not answer, is told in the operator's words.
    func asking<Answer>(_ body: () async throws(LockError) -> Answer) async throws(ControlError) -> Answer {
        do throws(LockError) {
            return try await body()
        } catch {
            if error.isPassing { throw .storeUnreachable(error.message) }
            throw .failed(error.message)
        }
    }
}
