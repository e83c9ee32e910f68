// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A line of a job's history, as the store keeps it and `batonctl history` shows it.
///
/// Times are RFC 3339 in UTC, by the clock of the node that wrote the line; ticks are the store's. Versions to come may add
/// fields.
package struct HistoryLine: Codable, Equatable, Sendable {
    /// The tick; of several that had no run, the first.
    package var tick: String
    /// Of several that had no run, the last.
    package var lastTick: String?
    /// How many had no run. `moreBefore`: at least, there may be more before the first.
    package var count: Int?
    package var moreBefore: Bool?
    /// A word of ``RunEnding``, `missed` or `skipped`.
    package var outcome: String
    package var attempt: Int?
    /// Whether an operator asked for it.
    package var isManual: Bool?
    package var node: String?
    package var runID: String?
    package var fence: Int64?
    package var started: String?
    package var finished: String?
    package var exitCode: Int32?
    package var signal: Int32?
    package var reason: String?
    /// Who wrote a line about what has no run, or no end: not the node of a run.
    package var notedBy: String?
    /// The end of what it wrote.
    package var output: String?

    package init(tick: String, outcome: String) {
        self.tick = tick
        self.outcome = outcome
    }

    /// - Parameters:
    ///   - omission: what has no run, or no end.
    ///   - node: who notes it.
    ///   - time: a tick as people read it.
    package init(_ omission: TickPlan.Omission, notedBy node: String, time: (Int64) -> String) {
        switch omission {
        case .missed(let ticks): self.init(ticks, "missed", time)
        case .skipped(let ticks): self.init(ticks, "skipped", time)
        case .lost(let entry):
            self.init(entry, time: time)
            outcome = RunEnding.lost.rawValue
            reason = "nobody said how it ended"
        }
        notedBy = node
    }

    private init(_ ticks: TickPlan.Ticks, _ outcome: String, _ time: (Int64) -> String) {
        self.init(tick: time(ticks.first), outcome: outcome)
        if ticks.count > 1 {
            lastTick = time(ticks.last)
            count = ticks.count
        }
        if !ticks.isAll { moreBefore = true }
    }

    /// The run of a ledger's entry, as far as that says.
    package init(_ entry: LedgerEntry, time: (Int64) -> String) {
        self.init(tick: time(entry.tick), outcome: entry.outcome.map { String(decoding: $0, as: UTF8.self) } ?? "")
        attempt = entry.attempt
        isManual = entry.manual != nil
        fence = entry.fence
        let holder = HolderRecord(decoding: entry.info)
        node = holder?.node
        runID = holder?.runID
        started = holder?.since
    }

    enum CodingKeys: String, CodingKey {
        case tick, count, outcome, attempt, node, fence, started, finished, signal, reason, output
        case lastTick = "last_tick"
        case moreBefore = "more_before"
        case isManual = "manual"
        case runID = "run_id"
        case notedBy = "noted_by"
        case exitCode = "exit_code"
    }
}
