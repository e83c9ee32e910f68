// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// What a reload did, or would do, for people.
package enum ReloadText {
    package enum Tense: Sendable {
        case past
        /// Of `batonctl check --diff`.
        case conditional
    }

    /// A line for each kind of change, and one that counts.
    package static func text(_ report: ReloadReport, _ tense: Tense) -> String {
        let would = tense == .conditional ? "would be " : ""
        let changed = report.changed.map { change in
            change.keys.isEmpty ? change.job : "\(change.job) (\(change.keys.joined(separator: ", ")))"
        }
        let lists: [(String, [String])] = [
            ("added", report.added), ("removed", report.removed), ("changed", changed),
            ("\(would)restarted here", report.restarted), ("\(would)stopped here", report.stopped),
            ("batond.toml", report.node.changed),
            ("only after a restart of batond", report.node.needsRestart),
        ]
        let lines = lists.compactMap { label, names in names.isEmpty ? nil : "\(label): \(enumeration(names))" }
        return (lines + [summary(report)]).map { PrintableText.escaped($0) }.joined(separator: "\n")
    }

    private static func summary(_ report: ReloadReport) -> String {
        let counts = [
            ("added", report.added.count), ("removed", report.removed.count), ("changed", report.changed.count),
        ]
        let parts = counts.filter { $0.1 > 0 }.map { "\($0.1) \($0.0)" }
        let jobs = parts.isEmpty ? "no job changed" : "jobs: \(parts.joined(separator: ", "))"
        return "\(jobs), \(report.unchanged.count) unchanged"
    }

    /// As many names as one reads; the rest are counted.
    private static func enumeration(_ names: [String]) -> String {
        let most = 20
        let shown = names.prefix(most).joined(separator: ", ")
        return names.count > most ? "\(shown) and \(names.count - most) more" : shown
    }
}
