// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// The last runs of a job, one line each, with what they printed below.
package enum HistoryTable {
    /// The whole answer of `batonctl history`, without a final newline.
    package static func text(_ report: HistoryReport) -> String {
        var lines: [String] = []
        if report.runs.isEmpty {
            lines.append("no run of \(PrintableText.escaped(report.job)) yet")
        } else {
            let rows = [["TICK", "ATTEMPT", "NODE", "FENCE", "STARTED", "FINISHED", "OUTCOME"]] + report.runs.map(row)
            let table = StatusTable.aligned(rows.map { $0.map { PrintableText.escaped($0) } })
            lines = Array(table.prefix(1))
            for (line, run) in zip(table.dropFirst(), report.runs) { lines += [line] + output(of: run) }
        }
        if report.unreadable > 0 {
            lines.append("\(report.unreadable) more can't be read: a later version's, or spoilt")
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ run: HistoryLine) -> [String] {
        let attempt = run.attempt.map(String.init) ?? "-"
        return [
            run.isManual == true ? "an operator's" : run.tick, attempt, run.node ?? "-",
            run.fence.map(String.init) ?? "-", run.started ?? "-", run.finished ?? "-", outcome(of: run),
        ]
    }

    /// How it ended, in a few words.
    package static func outcome(of run: HistoryLine) -> String {
        if let last = run.lastTick, let count = run.count, count > 1 {
            let more = run.moreBefore == true ? "at least \(count)" : "\(count)"
            return "\(run.outcome): \(more) ticks, up to \(last)"
        }
        if let reason = run.reason { return "\(run.outcome) (\(reason))" }
        if let code = run.exitCode, code != 0 { return "\(run.outcome) (exit code \(code))" }
        if let signal = run.signal { return "\(run.outcome) (ended by signal \(signal))" }
        return run.outcome
    }

    private static func output(of run: HistoryLine) -> [String] {
        var lines = (run.output ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { "    | " + PrintableText.escaped(String($0), keeping: ["\t"]) }
    }
}
