// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation

extension HistoryLine {
    /// The line of a run that has just ended.
    ///
    /// - Parameter started: when it was launched; nil: nothing is known but when it was claimed.
    init(_ turn: LedgerEntry, _ outcome: RunOutcome, on node: String, started: String?, output: Bytes) {
        self.init(turn) { RFC3339.text(of: $0) }
        let run = StatusReport.LastRun(run: runID ?? "", outcome: outcome, node: node)
        self.outcome = outcome.word
        if let started { self.started = started }
        (exitCode, signal, reason, finished) = (run.exitCode, run.signal, run.reason, run.finished)
        if !output.isEmpty { self.output = String(decoding: output.suffix(2048), as: UTF8.self) }
    }

    /// The lines of ticks without a run, or of a run without an end.
    static func encoded(_ omissions: [TickPlan.Omission], by node: String) -> [Bytes] {
        omissions.map { HistoryLine($0, notedBy: node, time: { RFC3339.text(of: $0) }).encoded() }
    }

    /// As the store keeps it: JSON, with as much of the output as there is room for.
    func encoded() -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var line = self
        while true {
            // Text and numbers: it can't fail.
            let bytes = (try? encoder.encode(line)).map { Bytes($0) } ?? []
            if bytes.count <= LedgerClaim.longestLine { return bytes }
            guard let output = line.output, !output.isEmpty else {
                line.reason = nil
                return (try? encoder.encode(line)).map { Bytes($0) } ?? []
            }
            line.output = String(output.suffix(output.count / 2))
        }
    }

    /// Nil for what is none.
    init?(decoding bytes: Bytes) {
        guard let line = try? JSONDecoder().decode(HistoryLine.self, from: Data(bytes)) else { return nil }
        self = line
    }
}
