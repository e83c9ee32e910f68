// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonLock
import BatonSystem

/// What the other nodes have to do with it.
extension DaemonBackend {
    /// For what an operator looks at in passing: the nodes are not asked for again at once.
    private static let freshEnough = Duration.seconds(5)

    func nodes() async throws(ControlError) -> NodesReport {
        try await asking { () async throws(LockError) in
            NodesReport(
                node: context.name, registered: try await registration.nodes(), warnings: registration.warnings)
        }
    }

    func explain(job: String) async throws(ControlError) -> Explanation {
        let records = await records()
        let shown = context.board.job(job)
        if shown == nil, !records.contains(where: { $0.job(job) != nil }) {
            let names = context.board.all().map(\.name) + records.flatMap { $0.jobs.map(\.name) }
            throw .unknownJob(job, nearest: Spelling.nearest(to: job, among: Set(names)))
        }
        let timeout = board.loop(of: job)?.lock.timeout ?? context.storeSettings.maxLockTimeout
        var facts = ExplainFacts(node: context.name, job: job, state: shown?.state, timeout: timeout)
        facts.reason = shown?.reason
        facts.nodes = records
        facts.barredBy = context.room.barredBy
        facts.clockJump = clockAlarm.jump
        if case .unreachable(let why) = store.state { facts.storeTrouble = why }
        tell(&facts, where: context.board.machine(of: job))
        if store.state == .connected { await look(&facts, at: job) }
        facts.nextTick = shown.flatMap { shown in
            var shown = shown
            tellOfTicks(&shown, nil)
            return shown.nextTick
        }
        return Explanation(facts)
    }

    /// That of `status`: job files that differ.
    func divergenceWarnings() async -> [String] {
        let divergence = Divergence(among: await records())
        return divergence.warning.map { [$0] } ?? []
    }

    /// What the live nodes say; nothing while the store does not answer.
    private func records() async -> [NodeRecord] {
        guard store.state == .connected else { return [] }
        // The store's own line says why.
        let nodes = (try? await registration.nodes(notOlderThan: Self.freshEnough)) ?? []
        return nodes.compactMap { NodeRecord(decoding: $0.record) }
    }

    private func tell(_ facts: inout ExplainFacts, where machine: JobMachine?) {
        guard let machine else { return }
        let now = BootClock.now()
        if let run = machine.describe(at: now).run {
            facts.run = .init(runID: run.runID, pid: run.pid, fence: run.fence, leaseLeft: run.deadline - now)
        }
        switch machine.waitsFor {
        case .newStore(let until): facts.newStoreWait = until - now
        case .mark(let mark): facts.mark = mark
        case .tick, .held, .vanishedHolder, .store, nil: break
        }
    }

    /// The lock and its mark as they are now, which is later than what the job's loop was told.
    private func look(_ facts: inout ExplainFacts, at job: String) async {
        guard let view = try? await lock(of: job).look() else { return }  // then the loop's word has to do
        if let mark = view.mark { facts.mark = mark }
        // A job that waits for its next tick has not asked for its lock since.
        if view.mark?.kind == .paused, view.token == nil, facts.state == .standby { facts.state = .paused }
        guard view.token != nil, let holder = StatusReport.Holder(view) else { return facts.lock = .free }
        facts.lock =
            holder.runID.isEmpty
            ? .foreign(left: view.timeToLive)
            : .held(node: holder.node, since: holder.since, fence: holder.fence, left: view.timeToLive)
    }
}
