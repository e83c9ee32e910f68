// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a node does next about the ticks of a job, on what it saw of the job's ledger (rule S8).
///
/// Every node decides the same on the same ledger, and the store lets one of them do it. A node that saw an older ledger
/// decides something that the store does not do, and is told.
package enum TickPlan: Equatable, Sendable {
    /// Nothing is known of the job yet: the store is to begin with what is to come.
    case open
    /// Nothing is to be done before that moment of the store's clock, in microseconds; nil: before the ledger changes.
    case wait(until: Int64?)
    /// Compete for the lock with this claim.
    case claim(Turn)
    /// None of the ticks up to this one is to run.
    case settle(Int64, [Omission])

    /// What a claim is for.
    package struct Turn: Equatable, Sendable {
        package var tick: Int64
        package var attempt: Int
        /// The operator's request that it is for; nil: it is for the tick.
        package var manual: Int64?
        /// What was before it, and has no run.
        package var omissions: [Omission]
        /// When it has to be decided anew, by the store's clock in microseconds; nil: never.
        package var validUntil: Int64?
    }

    /// Ticks without a run, or a run without an end.
    package enum Omission: Equatable, Sendable {
        /// No node claimed them when they were due, and they are not caught up.
        case missed(Ticks)
        /// They were due while the last run went on.
        case skipped(Ticks)
        /// The run that was claimed before has no outcome.
        case lost(LedgerEntry)
    }

    /// From the first to the last. `isAll` is false when there may be more before them: they were not counted.
    package struct Ticks: Equatable, Sendable {
        package var first: Int64
        package var last: Int64
        package var count: Int
        package var isAll = true
    }
}
