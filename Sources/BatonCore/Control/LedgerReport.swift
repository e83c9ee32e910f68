// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What the ledger of a scheduled job says, for `batonctl status`. Times are the store's.
package struct LedgerReport: Codable, Equatable, Sendable {
    /// Up to here every tick is settled or claimed.
    package var settled: String
    /// The last run, on whichever node; nil: there was none.
    package var run: Run?
    /// Who asked for a run that nobody has started yet.
    package var askedBy: String?

    package struct Run: Codable, Equatable, Sendable {
        /// Nil: it is not known any more, or the run was an operator's.
        package var tick: String?
        package var attempt: Int?
        package var isManual: Bool
        package var node: String?
        package var runID: String?
        package var fence: Int64
        /// A word of ``RunEnding``; `running`; `unknown`: its lock is free, and nobody has said how it ended.
        package var outcome: String
        /// When it was claimed, or when its outcome was written.
        package var changed: String

        enum CodingKeys: String, CodingKey {
            case tick, attempt, node, fence, outcome, changed
            case isManual = "manual"
            case runID = "run_id"
        }
    }

    enum CodingKeys: String, CodingKey {
        case settled, run
        case askedBy = "asked_by"
    }

    /// Nil: the ledger was not looked at, or nothing is known yet.
    package init?(_ view: LockView) {
        guard let ledger = view.ledger, let entry = ledger.entry else { return nil }
        settled = RFC3339.text(of: entry.tick)
        askedBy = ledger.asked?.by
        guard entry.fence > 0 else { return }
        let holder = HolderRecord(decoding: entry.info)
        // Settled further since, nothing but the run's end is known.
        let isLast = entry.attempt > 0
        let outcome = entry.outcome.map { String(decoding: $0, as: UTF8.self) }
        run = Run(
            tick: isLast && entry.manual == nil ? settled : nil, attempt: isLast ? entry.attempt : nil,
            isManual: entry.manual != nil, node: holder?.node, runID: holder?.runID, fence: entry.fence,
            outcome: outcome ?? (view.runHoldsLock ? "running" : "unknown"),
            changed: RFC3339.text(of: entry.changed / 1_000_000))
    }
}
