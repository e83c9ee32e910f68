// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
package import BatonCore

/// The next ticks of a job, one line each.
package enum NextTable {
    /// The whole answer of `batonctl next`, without a final newline.
    package static func text(_ report: NextReport) -> String {
        let schedule = report.schedule ?? report.every.map { "every \(DurationText.describe(.seconds($0)))" } ?? ""
        let head = PrintableText.escaped("\(report.job): \(schedule) (\(report.timezone))")
        guard !report.ticks.isEmpty else { return head + "\nnever again" }
        let isUTC = report.timezone == TimeZoneRules.utc.name
        let isDelayed = report.ticks.contains { $0.starts != $0.tick }
        var rows = [(isUTC ? [] : ["LOCAL TIME"]) + ["UTC"] + (isDelayed ? ["STARTS (UTC)"] : [])]
        for tick in report.ticks {
            rows.append((isUTC ? [] : [tick.local]) + [tick.tick] + (isDelayed ? [tick.starts] : []))
        }
        return ([head, ""] + StatusTable.aligned(rows)).joined(separator: "\n")
    }
}
