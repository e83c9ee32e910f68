// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonLock

/// Marks beside a job's lock, which count for the whole fleet.
extension DaemonBackend {
    func stop(job: String) async throws(ControlError) -> StopReport {
        try checkAct(on: job)
        let planner = board.definition(of: job)?.schedule.map { TickPlanner(job: job, settings: $0) }
        var machine = StopMachine(
            job: job, planner, by: context.name, maxLockTimeout: context.storeSettings.maxLockTimeout)
        var event = StopMachine.Event.began
        while true {
            switch machine.handle(event) {
            case .look:
                let view = try await asking { () async throws(LockError) in
                    try await look(at: job, withLedger: planner != nil)
                }
                event = .looked(view, at: tickTime)
            case .mark(let mark):
                try await setMark(mark, on: job)
                event = .marked
            case .settle(let key, let tick, let omissions):
                event = .settled(try await settle(job, key, upTo: tick, omissions))
            case .over(.stopped(let report)): return report
            case .over(.refused):
                throw .failed("the store does not take it now: it is new, or its clock is behind; try again in a while")
            case .over(.restless): throw .failed("\(job) changes faster than it can be stopped: try again")
            }
        }
    }

    /// - Returns: the ledger as it is then.
    private func settle(
        _ job: String, _ key: LedgerEntry.Key, upTo tick: Int64, _ omissions: [TickPlan.Omission]
    ) async throws(ControlError) -> LedgerEntry? {
        let lock = lock(of: job)
        let request = SettleRequest(
            keys: lock.keys, guarding: lock.policy.guarding, floor: context.ticks.largest(of: job),
            fence: context.fences.largest(of: job), expected: key, tick: tick,
            lines: HistoryLine.encoded(omissions, by: context.name))
        let after = try await asking { () async throws(LockError) in
            try await lock.store.settle(request, timeout: context.storeSettings.requestTimeout).reply.entry
        }
        if let after, after.key != key, after.tick == tick {
            context.ticks.saw(tick, of: job)
            context.metrics.omitted(omissions, of: job)
            for omission in omissions { context.logger(of: job).log(omission) }
        }
        return after
    }

    func pause(job: String, for duration: Duration?) async throws(ControlError) {
        try checkAct(on: job)
        let standing = try await mark(of: job)
        try refuse(standing, job)
        // After the pause, a job that failed is where it was.
        let failures = standing?.failures ?? 0
        try await setMark(Mark(kind: .paused, remaining: duration, failures: failures, by: context.name), on: job)
    }

    func resume(job: String) async throws(ControlError) {
        try checkAct(on: job)
        let standing = try await mark(of: job)
        // One with a schedule is held down by a stop during a pause.
        let isScheduled = board.definition(of: job)?.schedule != nil
        if standing?.kind == .heldDown, isScheduled { return try await setMark(nil, on: job) }
        try refuse(standing, job)
        if standing?.kind == .paused { try await setMark(nil, on: job) }
    }

    /// - Throws: for a job that a pause, or its end, makes no difference to.
    private func refuse(_ standing: Mark?, _ job: String) throws(ControlError) {
        switch standing?.kind {
        case .heldDown:
            throw .failed("\(job) is held down by an operator: nothing starts it before `batonctl run \(job)`")
        case .finished:
            throw .failed("\(job) is done, by its restart policy: nothing starts it before `batonctl run \(job)`")
        case .paused, .coolingDown, .runEnded, nil: break
        }
    }

    /// As it is now.
    func mark(of job: String) async throws(ControlError) -> Mark? {
        try await asking { () async throws(LockError) in try await look(at: job, withLedger: false).mark }
    }

    func setMark(_ mark: Mark?, on job: String) async throws(ControlError) {
        try await asking { () async throws(LockError) in
            let lock = lock(of: job)
            try await store.locks.setMark(mark, on: lock.keys, timeout: context.storeSettings.requestTimeout)
        }
        if let mark { context.marks.saw(mark, of: job) } else { context.marks.forget(job) }
    }

    /// A job that waits for its next tick, or does not compete here, need not have seen an operator's mark.
    func tellOfMark(_ job: inout StatusReport.Job, _ view: LockView?) {
        guard let view, let mark = view.mark, let text = text(of: mark) else { return }
        let isFree = view.token == nil
        switch job.state {
        case .standby where isFree, .paused where isFree:
            job.state = mark.kind == .paused ? .paused : .heldDown
            job.reason = text
        case .standby, .paused, .running, .starting:
            // Who is stopped is about to be seen to stop.
            guard mark.kind == .paused else { return }
            job.reason = text
            if job.state == .paused { job.state = .standby }
        case .ineligible: job.reason = (job.reason.map { $0 + "; " } ?? "") + text
        case .stopping, .backoff, .disabled, .invalid, .waitingForStore, .heldDown, .finished: break
        }
    }

    /// Nil: it is not an operator's.
    private func text(of mark: Mark) -> String? {
        switch mark.kind {
        case .paused:
            let left = mark.remaining.map { ", for another \(DurationText.describe(.seconds($0.components.seconds)))" }
            return "paused on \(mark.by)\(left ?? ""); `batonctl resume` ends that"
        case .heldDown: return "stopped on \(mark.by); `batonctl run` starts it again"
        case .finished, .coolingDown, .runEnded: return nil
        }
    }
}
