// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// A node and its jobs, one line each.
package enum StatusTable {
    /// The whole answer of `batonctl status`, without a final newline.
    package static func text(_ report: StatusReport) -> String {
        var lines = head(report)
        lines.append("")
        guard !report.jobs.isEmpty else {
            return (lines + ["no jobs"]).joined(separator: "\n")
        }
        var rows = [["JOB", "STATE", "HOLDER", "SINCE", "FENCE"]]
        let hasTicks = report.jobs.contains { $0.nextTick != nil }
        if hasTicks { rows[0].append("NEXT TICK") }
        let hasReasons = report.jobs.contains { $0.reason != nil }
        if hasReasons { rows[0].append("REASON") }
        for job in report.jobs {
            var row = [job.name, job.state.rawValue]
            if let holder = job.holder {
                row += [holder.node == report.node ? holder.node + " (here)" : holder.node]
                row += [holder.since, String(holder.fence)]
            } else {
                row += ["-", "-", "-"]
            }
            if hasTicks { row.append(job.nextTick ?? "-") }
            if hasReasons { row.append(job.reason.map(firstLine) ?? "") }
            rows.append(row.map { PrintableText.escaped($0) })
        }
        lines += aligned(rows)
        return lines.joined(separator: "\n")
    }

    /// An invalid file has a line for each of its problems: the table has room for one.
    private static func firstLine(_ reason: String) -> String {
        let lines = reason.split(separator: "\n")
        guard let first = lines.first, lines.count > 1 else { return reason }
        return "\(first) (and \(lines.count - 1) more: batonctl status JOB)"
    }

    /// The node's line, the store's line and the warnings: they come first, because they explain the rest.
    static func head(_ report: StatusReport) -> [String] {
        [
            "node   \(PrintableText.escaped(report.node)), batond \(PrintableText.escaped(report.version))",
            "store  \(PrintableText.escaped(report.store.url)), \(PrintableText.escaped(report.store.state))"
                + (report.store.replicas.map { ", \($0 == 1 ? "1 replica confirms" : "\($0) replicas confirm")" } ?? ""),
        ] + report.warnings.map { "warning: " + PrintableText.escaped($0) }
    }

    /// Columns padded to their widest cell, two spaces apart, without spaces at the ends of lines.
    static func aligned(_ rows: [[String]]) -> [String] {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            var line = ""
            for (cell, width) in zip(row, widths) {
                line += cell + String(repeating: " ", count: width - cell.count + 2)
            }
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
