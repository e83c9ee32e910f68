// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The last runs of a scheduled job, as the store knows them: what `batonctl history` tells, the same on every node.
package struct HistoryReport: Codable, Equatable, Sendable {
    package var job: String
    /// The newest first. The outcome of a run that goes on is `running`, that of one whose lock is free and whose end nobody
    /// has told of `unknown`.
    package var runs: [HistoryLine]
    /// Lines in the store that nobody can read.
    package var unreadable: Int

    package init(job: String, runs: [HistoryLine], unreadable: Int = 0) {
        self.job = job
        self.runs = runs
        self.unreadable = unreadable
    }

    /// - Parameters:
    ///   - view: the lock and its ledger, seen before the lines: a run that has a line has ended since.
    ///   - lines: nil for one that can't be read.
    ///   - limit: how many are told of.
    package init(job: String, _ view: LockView, lines: [HistoryLine?], limit: Int) {
        self.init(job: job, runs: lines.compactMap { $0 }, unreadable: lines.count { $0 == nil })
        if let run = view.unendedRun, !runs.contains(where: { $0.fence == run.fence }) { runs.insert(run, at: 0) }
        runs = Array(runs.prefix(limit))
    }

    /// Without what the workloads printed.
    package func withoutOutput() -> HistoryReport {
        var report = self
        for index in report.runs.indices { report.runs[index].output = nil }
        return report
    }
}

extension LockView {
    /// Whether the run that the ledger tells of has the lock now.
    package var runHoldsLock: Bool { token != nil && ledger?.entry?.fence == fence }

    /// The ledger's run as a line, if nobody has said how it ended.
    package var unendedRun: HistoryLine? {
        guard let entry = ledger?.entry, entry.attempt > 0, entry.fence > 0, entry.outcome == nil else { return nil }
        var line = HistoryLine(entry, time: { RFC3339.text(of: $0) })
        line.outcome = runHoldsLock ? "running" : "unknown"
        return line
    }
}
