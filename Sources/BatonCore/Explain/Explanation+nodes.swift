// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension Explanation {
    /// Who runs it, and who would.
    mutating func tellOfOtherNodes(_ facts: ExplainFacts) {
        let runsHere = facts.run != nil
        if !runsHere, case .held(let holder, let since, let fence, let left) = facts.lock {
            var sentence = "\(holder) has held its lock since \(since), with fence \(fence)"
            if let left { sentence += "; the lock lasts for another \(seconds(left)), and is renewed meanwhile" }
            details.append(sentence + ".")
            if facts.state != .standby, facts.runner != nil, !summary.hasSuffix("on \(holder).") {
                details.append("So it runs on \(holder).")
            }
        }
        let others = facts.otherStandbys
        let takeover = "at most \(seconds(facts.timeout + .milliseconds(100))) after"
        switch (facts.state, facts.lock) {
        case (.standby, .held(let holder, _, _, _)) where facts.barredBy == nil:
            details.append(
                """
                If \(holder) dies, another node takes over \(takeover) its last renewal; if it is stopped properly, \
                at once. \(facts.node) would\(others.isEmpty ? "" : ", and so would \(list(others))").
                """)
        case (.running, _), (.starting, _):
            if facts.nodes.isEmpty { break }
            details.append(
                others.isEmpty
                    ? "No other node is on standby for it."
                    : "If this node dies, \(list(others, "or")) takes over \(takeover) the last renewal.")
        case (.invalid, _), (.disabled, _), (.ineligible, _), (nil, _):
            if facts.runner == nil, !others.isEmpty {
                details.append("On standby for it: \(list(others)).")
            }
        default: break
        }
    }

    mutating func tellOfDivergence(_ facts: ExplainFacts) {
        // Without the file here, it has been said who has it.
        let found = facts.state == nil ? [] : Divergence(among: facts.nodes).of(facts.job)
        if found.isEmpty { return }
        for (node, difference) in found {
            let which = node == facts.node ? "\(node), this node," : node
            switch difference.kind {
            case .differs:
                details.append("The job file on \(which) is not the same as on \(difference.from).")
            case .missing: details.append("There is no such job file on \(node), but one on \(difference.from).")
            case .extra: details.append("There is such a job file on \(node), but none on \(difference.from).")
            }
        }
        advise("to compare all nodes", "batonctl nodes")
    }

    /// As in `web-1, web-2 and web-3`.
    func list(_ names: [String], _ word: String = "and") -> String {
        guard let last = names.last, names.count > 1 else { return names.first ?? "" }
        return names.dropLast().joined(separator: ", ") + " \(word) " + last
    }

    /// As in `12.3 s`, rounded up.
    func seconds(_ duration: Duration) -> String {
        let tenths = max(0, (duration.milliseconds + 99) / 100)
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
