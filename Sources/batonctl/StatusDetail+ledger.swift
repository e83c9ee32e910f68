// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

extension StatusDetail {
    /// What a job's ledger says, each with its label.
    static func facts(of ledger: LedgerReport, _ node: String, at now: Double) -> [(String, String)] {
        var facts: [(String, String)] = []
        if let run = ledger.run {
            facts.append(("last run", text(run, node, at: now)))
            if let tick = run.tick { facts.append(("tick", tick + (run.attempt.map { ", attempt \($0)" } ?? ""))) }
            if run.isManual { facts.append(("tick", "none: an operator asked for it")) }
        } else {
            facts.append(("last run", "none yet; ticks count from \(ledger.settled) on"))
        }
        if let by = ledger.askedBy { facts.append(("asked for", "a run, on \(by); no node has started it yet")) }
        return facts
    }

    private static func text(_ run: LedgerReport.Run, _ node: String, at now: Double) -> String {
        let place = run.node.map { " on \($0)" + ($0 == node ? " (here)" : "") } ?? ""
        let moment = moment(run.changed, at: now)
        switch run.outcome {
        case "running": return "running\(place) since \(moment)"
        case "unknown": return "began\(place) at \(moment); nobody has said how it ended"
        default: return "\(run.outcome)\(place), \(moment)"
        }
    }
}
