// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What an operator's `stop` of a job comes to, by how the job stands in the store.
package enum StopPlan: Equatable, Sendable {
    /// It does not run, and is not about to.
    case nothing
    /// This mark tells whoever holds the lock, or would.
    case mark(Mark)
    /// No run goes on, but its tick would be tried again: the ledger, if it has this entry, is to be settled up to that
    /// tick, so that it is not.
    case giveUp(LedgerEntry.Key, upTo: Int64, [TickPlan.Omission])

    /// A job that is kept running is held down: it would be started again at once. Of one with a schedule the run is ended,
    /// and the next tick has its own, unless the job is paused: then nothing is to start all the same, for as long.
    ///
    /// - Parameters:
    ///   - view: the lock, with the ledger of a job that has one.
    ///   - planner: nil: the job has no schedule.
    ///   - node: who is asked.
    ///   - maxLockTimeout: the longest that a holder may be silent.
    ///   - now: the store's time, in microseconds.
    package init(_ view: LockView, _ planner: TickPlanner?, by node: String, maxLockTimeout: Duration, at now: Int64) {
        let down = Mark(kind: .heldDown, by: node)
        guard let planner else {
            self = .mark(down)
            return
        }
        guard view.token != nil else {
            self = Self.withoutRun(view.ledger?.entry, planner, at: now)
            return
        }
        switch view.mark?.kind {
        case .paused: self = .mark(Mark(kind: .heldDown, remaining: view.mark?.remaining, by: node))
        case .heldDown: self = .nothing
        case .finished: self = .mark(down)
        case .coolingDown, .runEnded, nil:
            // The run's release ends it; this is for one whose holder never releases.
            self = .mark(Mark(kind: .runEnded, remaining: maxLockTimeout, by: node))
        }
    }

    private static func withoutRun(_ entry: LedgerEntry?, _ planner: TickPlanner, at now: Int64) -> StopPlan {
        // What an operator asked for, or what was given back before it began, is claimed again at once: there is a run in a
        // moment, or as soon as anybody may have one.
        guard let entry, entry.manual == nil, entry.outcome.map({ RunEnding($0) }) != .withdrawn,
            planner.triesAgain(entry, at: now)
        else { return .nothing }
        // The next tick may be over, and not due yet for its jitter.
        let last = planner.settings.schedule.next(after: entry.tick).map { $0 - 1 } ?? .max
        let tick = min(max(entry.tick + 1, now / 1_000_000), last)
        if tick <= entry.tick { return .nothing }
        return .giveUp(entry.key, upTo: tick, entry.outcome == nil ? [.lost(entry)] : [])
    }
}
