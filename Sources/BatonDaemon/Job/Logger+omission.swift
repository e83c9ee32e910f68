// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Logging

extension Logger {
    /// Tells of ticks that have no run, or of a run that has no end.
    func log(_ omission: TickPlan.Omission) {
        switch omission {
        case .missed(let ticks):
            log(level: .warning, "ticks missed", event: .ticksMissed, metadata: Self.metadata(ticks))
        case .skipped(let ticks):
            log(level: .notice, "ticks skipped", event: .ticksSkipped, metadata: Self.metadata(ticks))
        case .lost(let entry):
            var metadata: Metadata = [
                "tick": "\(RFC3339.text(of: entry.tick))", "attempt": "\(entry.attempt)", "fence": "\(entry.fence)",
                "reason": "nobody said how it ended",
            ]
            if let holder = HolderRecord(decoding: entry.info) {
                metadata["run"] = "\(holder.runID)"
                // Not "node": that is who tells.
                metadata["run_node"] = "\(holder.node)"
            }
            log(level: .warning, "run lost", event: .runLost, metadata: metadata)
        }
    }

    private static func metadata(_ ticks: TickPlan.Ticks) -> Metadata {
        var metadata: Metadata = [
            "tick": "\(RFC3339.text(of: ticks.first))", "last_tick": "\(RFC3339.text(of: ticks.last))",
            "count": "\(ticks.count)",
        ]
        if !ticks.isAll { metadata["more_before"] = "true" }
        return metadata
    }
}
