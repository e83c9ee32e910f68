// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// The nodes of a fleet, one line each.
package enum NodesTable {
    /// So many differences have a place in a line; the rest is counted.
    private static let mostDifferences = 3

    /// The whole answer of `batonctl nodes`, without a final newline.
    package static func text(_ report: NodesReport) -> String {
        let warnings = report.warnings.map { "warning: " + PrintableText.escaped($0) }
        guard !report.nodes.isEmpty else {
            return (warnings + ["no node is registered"]).joined(separator: "\n")
        }
        var rows = [["NODE", "INSTANCE", "VERSION", "SINCE", "RUNNING", "STANDBY"]]
        let differ = report.nodes.contains { !$0.differences.isEmpty }
        if differ { rows[0].append("JOB FILES") }
        for node in report.nodes {
            var row = [
                node.name == report.node ? node.name + " (here)" : node.name, String(node.instance.prefix(8)),
                node.version ?? "unknown version", node.since ?? "-", node.running.map(String.init) ?? "-",
                node.standby.map(String.init) ?? "-",
            ]
            if differ { row.append(differences(of: node)) }
            rows.append(row.map { PrintableText.escaped($0) })
        }
        let table = StatusTable.aligned(rows)
        return (warnings + (warnings.isEmpty ? [] : [""]) + table).joined(separator: "\n")
    }

    private static func differences(of node: NodesReport.Node) -> String {
        let shown = node.differences.prefix(mostDifferences).map(\.text).joined(separator: "; ")
        let rest = node.differences.count - mostDifferences
        return rest > 0 ? "\(shown); and \(rest) more (--json)" : shown
    }
}
