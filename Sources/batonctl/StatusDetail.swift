// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Foundation

/// One job, with everything that the report says about it.
package enum StatusDetail {
    /// The whole answer of `batonctl status JOB`, without a final newline. `now` in seconds since 1970, for ages.
    package static func text(_ job: StatusReport.Job, in report: StatusReport, at now: Double) -> String {
        var title = job.name
        if !job.description.isEmpty { title += ": \(job.description)" }
        var facts = [("state", state(job, in: report))]
        for (index, line) in (job.reason ?? "").split(separator: "\n").enumerated() {
            facts.append((index == 0 ? "reason" : "", String(line)))
        }
        facts.append(("kind", job.kind))
        if let holder = job.holder {
            let place = holder.node == report.node ? "\(holder.node) (here)" : holder.node
            facts.append(("holder", "\(place) since \(moment(holder.since, at: now))"))
            facts.append(("fence", String(holder.fence)))
            facts.append(("run id", holder.runID))
        }
        if let run = job.run { facts.append(("run", self.run(run, holder: job.holder))) }
        if let isReady = job.run?.isReady { facts.append(("workload", said(isReady, job.run?.status))) }
        if let next = job.nextTick { facts.append(("next tick", next)) }
        if let ledger = job.ledger { facts += self.facts(of: ledger, report.node, at: now) }
        // The ledger's is this node's, or a later one.
        if let last = job.lastRun, job.ledger?.run == nil { facts.append(("last run", lastRun(last, at: now))) }

        let lines = facts.map { label, value in
            "  " + label + String(repeating: " ", count: 10 - label.count) + PrintableText.escaped(value)
        }
        return (StatusTable.head(report) + ["", PrintableText.escaped(title)] + lines).joined(separator: "\n")
    }

    private static func state(_ job: StatusReport.Job, in report: StatusReport) -> String {
        switch job.state {
        case .running: return "running here"
        case .standby:
            if let holder = job.holder { return "standby; it runs on \(holder.node)" }
            return "standby"
        case .starting: return "starting here"
        case .stopping: return "stopping here"
        case .backoff: return "backoff: nobody starts it for a while"
        case .heldDown where job.reason == nil:
            return "held-down: an operator stopped it; \"batonctl run \(job.name)\" lets it run again"
        case .heldDown, .waitingForStore, .paused, .disabled, .ineligible, .invalid, .finished:
            return job.state.rawValue
        }
    }

    private static func run(_ run: StatusReport.Run, holder: StatusReport.Holder?) -> String {
        var parts: [String] = []
        if holder?.runID != run.runID { parts.append(run.runID) }
        if let pid = run.pid { parts.append("pid \(pid)") }
        parts.append("attempt \(run.attempt)")
        let seconds = String(format: "%.1f", Double(run.leaseUntilMilliseconds) / 1000)
        parts.append(run.leaseUntilMilliseconds > 0 ? "lease for another \(seconds) s" : "lease over")
        return parts.joined(separator: ", ")
    }

    /// What the workload says of itself.
    private static func said(_ isReady: Bool, _ status: String?) -> String {
        (isReady ? "ready" : "not ready yet") + (status.map { ": \($0)" } ?? "")
    }

    private static func lastRun(_ last: StatusReport.LastRun, at now: Double) -> String {
        var text = last.outcome
        if let reason = last.reason, !reason.hasPrefix(last.outcome) {
            text += " (\(reason))"
        } else if let code = last.exitCode, last.outcome != "succeeded" || code != 0 {
            text += " (exit code \(code))"
        } else if let signal = last.signal {
            text += " (ended by signal \(signal))"
        }
        return text + " on \(last.node), \(moment(last.finished, at: now))"
    }

    /// A time as received, and how long ago that is by this machine's clock.
    static func moment(_ text: String, at now: Double) -> String {
        let formats: [Date.ISO8601FormatStyle] = [.iso8601, .init(includingFractionalSeconds: true)]
        for format in formats {
            guard let date = try? Date(text, strategy: format) else { continue }  // It may be of the other format.
            return "\(text) (\(age(now - date.timeIntervalSince1970)))"
        }
        return text
    }

    /// Two units at most: `4 s ago`, `3 min 12 s ago`, `2 d 5 h ago`.
    package static func age(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        switch whole {
        case ..<(-1): return "in the future: the clocks differ"
        case ..<1: return "now"
        case ..<60: return "\(whole) s ago"
        case ..<3600: return "\(whole / 60) min \(whole % 60) s ago"
        case ..<86400: return "\(whole / 3600) h \(whole % 3600 / 60) min ago"
        default: return "\(whole / 86400) d \(whole % 86400 / 3600) h ago"
        }
    }
}
