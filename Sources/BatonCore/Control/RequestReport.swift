// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What has become of a run that an operator asked for: what `batonctl run --wait` waits on.
package struct RequestReport: Codable, Equatable, Sendable {
    package enum State: String, Codable, Equatable, Sendable {
        /// No node has started it yet.
        case waiting
        case running
        case ended
        /// It was started, and its lock is free, but nobody has said how it ended; or the store knows nothing of it.
        case unknown
    }

    package var job: String
    package var id: Int64
    package var state: State
    /// The run, once there is one.
    package var run: HistoryLine?

    package init(job: String, id: Int64, state: State, run: HistoryLine? = nil) {
        self.job = job
        self.id = id
        self.state = state
        self.run = run
    }

    /// - Parameters:
    ///   - view: the lock and its ledger, seen before the lines.
    ///   - lines: the history, the newest first.
    package init(job: String, id: Int64, _ view: LockView, lines: [HistoryLine]) {
        self.init(job: job, id: id, state: .unknown)
        if view.ledger?.asked?.id == id {
            state = .waiting
        } else if let entry = view.ledger?.entry, entry.manual == id {
            follow(entry, view, lines)
        } else if let line = Self.line(of: id, in: lines) {
            // Other runs came after it.
            (state, run) = (.ended, line)
        }
    }

    private mutating func follow(_ entry: LedgerEntry, _ view: LockView, _ lines: [HistoryLine]) {
        if let line = lines.first(where: { $0.fence == entry.fence }) {
            (state, run) = (.ended, line)
        } else if let outcome = entry.outcome {
            // The lock was given back before anything was started: there is another attempt.
            if RunEnding(outcome) == .withdrawn { return state = .waiting }
            (state, run) = (.ended, HistoryLine(entry, time: { RFC3339.text(of: $0) }))
        } else {
            state = view.runHoldsLock ? .running : .unknown
            run = view.unendedRun
        }
    }

    /// A request's run has a larger fence than its id, and one that was asked for later a larger one.
    private static func line(of id: Int64, in lines: [HistoryLine]) -> HistoryLine? {
        let later = lines.filter { $0.isManual == true && ($0.fence ?? 0) > id }
        return later.min { ($0.fence ?? 0) < ($1.fence ?? 0) }
    }

    /// What a program that waited for the run exits with: the workload's code, 128 and the number of its signal, or 1.
    package var exitCode: Int32 {
        guard state == .ended, let run else { return 1 }
        // Codes and numbers of signals as the kernel has them; what is in the store may be anything.
        if let code = run.exitCode { return (0...255).contains(code) ? code : 1 }
        if let signal = run.signal { return (1...127).contains(signal) ? 128 + signal : 1 }
        return run.outcome == RunEnding.succeeded.rawValue ? 0 : 1
    }
}
