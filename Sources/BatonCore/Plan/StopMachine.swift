// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// An operator's `stop` of a job: from the first look at how it stands to what the operator is told.
///
/// A run may begin or end between a look and what follows from it, so that after each step the job is looked at again.
package struct StopMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        case began
        /// The lock, with the ledger of a job that has one, and the store's time in microseconds.
        case looked(LockView, at: Int64)
        /// The mark was set, or cleared.
        case marked
        /// The ledger after it was asked to settle.
        case settled(LedgerEntry?)
    }

    package enum Action: Equatable, Sendable {
        case look
        /// Set the mark, or clear the one that is there.
        case mark(Mark?)
        /// Settle the ledger up to that tick, if it has this entry.
        case settle(LedgerEntry.Key, upTo: Int64, [TickPlan.Omission])
        case over(Ending)
    }

    package enum Ending: Equatable, Sendable {
        case stopped(StopReport)
        /// The store did not settle the ledger, although it has the entry.
        case refused
        /// The job looks different each time.
        case restless
    }

    private enum State: Equatable, Sendable {
        case idle, looking, marking, clearing, over
        case settling(LedgerEntry.Key, upTo: Int64)
    }

    private struct Marked: Equatable, Sendable {
        var mark: Mark
        var view: LockView
    }

    /// How often it is planned anew.
    static let mostPlans = 5

    private let job: String
    private let node: String
    private let planner: TickPlanner?
    private let maxLockTimeout: Duration
    private var state = State.idle
    private var plans = 0
    /// How the job stood when a mark was set.
    private var marked: Marked?
    /// The run that was told to end has ended: as it was told, or by itself.
    private var isEnded = false

    /// - Parameters:
    ///   - planner: nil: the job has no schedule.
    ///   - node: who is asked.
    ///   - maxLockTimeout: the longest that a holder may be silent.
    package init(job: String, _ planner: TickPlanner?, by node: String, maxLockTimeout: Duration) {
        self.job = job
        self.node = node
        self.planner = planner
        self.maxLockTimeout = maxLockTimeout
    }

    package mutating func handle(_ event: Event) -> Action {
        switch (state, event) {
        case (.idle, .began): return look()
        case (.looking, .looked(let view, let now)): return looked(view, at: now)
        case (.marking, .marked):
            // Only a run's own release ends this one. It may have come before.
            return marked?.mark.kind == .runEnded ? look() : stopped()
        case (.clearing, .marked): return look()
        case (.settling(let key, let tick), .settled(let entry)):
            if entry?.key == key { return over(.refused) }
            return entry?.tick == tick ? over(.stopped(report(isGivenUp: true))) : look()
        case (.idle, _), (.looking, _), (.marking, _), (.clearing, _), (.settling, _), (.over, _):
            preconditionFailure("\(event) answers nothing that was asked for")
        }
    }

    private mutating func looked(_ view: LockView, at now: Int64) -> Action {
        if let marked, !isEnded {
            if view.token == marked.view.token { return stopped() }
            isEnded = true
            if view.mark?.kind == .runEnded {
                state = .clearing
                return .mark(nil)
            }
        }
        // The next ticks are run as ever.
        if isEnded, view.ledger?.entry?.tick != marked?.view.ledger?.entry?.tick { return stopped() }
        plans += 1
        if plans > Self.mostPlans { return over(.restless) }
        switch StopPlan(view, planner, by: node, maxLockTimeout: maxLockTimeout, at: now) {
        case .nothing where isEnded: return stopped()
        case .nothing:
            return over(.stopped(report(isHeldDown: view.mark?.kind == .heldDown, StatusReport.Holder(view))))
        case .mark(let mark):
            marked = Marked(mark: mark, view: view)
            isEnded = false
            state = .marking
            return .mark(mark)
        case .giveUp(let key, let tick, let omissions):
            state = .settling(key, upTo: tick)
            return .settle(key, upTo: tick, omissions)
        }
    }

    private mutating func look() -> Action {
        state = .looking
        return .look
    }

    /// What was marked is what was asked for.
    private mutating func stopped() -> Action {
        over(
            .stopped(
                report(isHeldDown: marked?.mark.kind == .heldDown, marked.flatMap { StatusReport.Holder($0.view) })))
    }

    private mutating func over(_ ending: Ending) -> Action {
        state = .over
        return .over(ending)
    }

    private func report(
        isHeldDown: Bool = false, _ holder: StatusReport.Holder? = nil, isGivenUp: Bool? = nil
    ) -> StopReport {
        StopReport(
            job: job, isHeldDown: isHeldDown, runID: holder?.runID, node: holder?.node, isGivenUp: isGivenUp)
    }
}
