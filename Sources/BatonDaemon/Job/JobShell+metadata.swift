// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Logging

/// What the log says of a run.
extension JobShell {
    /// The tick and the attempt that a run is for; empty for a job that is kept running.
    func turnMetadata(of runID: String) -> Logger.Metadata {
        guard let run = loop.run, run.runID == runID else { return [:] }
        return run.record.turnMetadata
    }

    /// How a run ended.
    static func metadata(of run: ActiveRun, _ outcome: RunOutcome, _ shown: StatusReport.LastRun?) -> Logger.Metadata {
        var metadata = run.record.turnMetadata
        metadata["run"] = "\(run.runID)"
        metadata["fence"] = "\(run.record.fence)"
        metadata["outcome"] = "\(outcome.word)"
        metadata["detail"] = "\(outcome.detail)"
        if let code = shown?.exitCode { metadata["exit_code"] = "\(code)" }
        if let signal = shown?.signal { metadata["signal"] = "\(signal)" }
        return metadata
    }
}

extension LeaseRecord {
    fileprivate var turnMetadata: Logger.Metadata {
        guard let turn else { return [:] }
        return ["tick": "\(RFC3339.text(of: turn.tick))", "attempt": "\(turn.attempt)"]
    }
}
