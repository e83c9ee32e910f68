// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

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

    func status(job: String?) async throws(ControlError) -> StatusReport {
        var jobs = context.board.all()
        if let job {
            jobs = jobs.filter { $0.name == job }
            if jobs.isEmpty { throw .unknownJob(job) }
        }
        async let divergence = divergenceWarnings()
        let holders = await holders(of: jobs.map(\.name))
        for index in jobs.indices {
            jobs[index].holder = holders[jobs[index].name]
        }
        return StatusReport(
            node: context.name, instance: context.instance, version: BatonVersion.current,
            store: .init(url: store.url, state: stateText, replicas: replicas), jobs: jobs,
            warnings: context.runs.warnings + store.warnings + (clockAlarm.jump.map { [$0.warning] } ?? [])
                + reloader.warnings + registration.warnings + (await divergence))
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
        guard store.state == .connected else { return [:] }
        return await withTaskGroup(of: (String, StatusReport.Holder?).self) { group in
            for job in jobs {
                group.addTask {
                    // A look that fails shows no holder: the store's own line says why.
                    let view = try? await lock(of: job).look()
                    return (job, view.flatMap { StatusReport.Holder($0) })
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    func lock(of job: String) -> LockClient {
        context.lock(of: job, timing: context.timing(of: context.storeSettings.maxLockTimeout))
    }

    func stop(job: String) async throws(ControlError) {
        try await mark(job, Mark(kind: .heldDown, by: context.name))
    }

    func run(job: String) async throws(ControlError) {
        try await mark(job, nil)
        board.runner(of: job)?.send(.runRequested)
    }

    func reload() async throws(ControlError) -> ReloadReport { try await reloader.reload() }

    func difference() async throws(ControlError) -> ReloadReport { try await reloader.difference() }

    func prepareReplacement() async throws(ControlError) {
        if board.isDraining { throw .draining }
        try await succession.prepare()
    }

    func replace() { succession.begin() }

    private func mark(_ job: String, _ mark: Mark?) async throws(ControlError) {
        guard let shown = context.board.job(job) else { throw .unknownJob(job) }
        if shown.state == .invalid { throw .failed("the file of \(job) is invalid: `batonctl status \(job)` says why") }
        // Ineligible here is no reason: the mark counts for the whole fleet.
        if shown.state == .disabled { throw .failed("\(job) is disabled in its job file") }
        do throws(LockError) {
            let lock = lock(of: job)
            try await store.locks.setMark(mark, on: lock.keys, timeout: context.storeSettings.requestTimeout)
        } catch {
            if error.isPassing { throw .storeUnreachable(error.message) }
            throw .failed(error.message)
        }
    }
}

extension StatusReport.Holder {
    /// Nil when nobody holds the lock. A holder record that is not the holder's own is not believed.
    init?(_ view: LockView) {
        guard let token = view.token else { return nil }
        if view.holderToken == token, let bytes = view.holder, let record = HolderRecord(decoding: bytes) {
            self.init(node: record.node, runID: record.runID, fence: view.fence, since: record.since)
        } else {
            self.init(node: "a foreign client", runID: "", fence: view.fence, since: "")
        }
    }
}
