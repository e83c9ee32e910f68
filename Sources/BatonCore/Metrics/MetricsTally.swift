// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What has happened on a node since its daemon began, as far as it is counted.
package struct MetricsTally: Equatable, Sendable {
    /// What a node asks its store for.
    package enum Request: String, Equatable, Sendable, CaseIterable {
        case acquire, renew, release, look, mark, settle, ask, history
    }

    package struct Job: Equatable, Sendable {
        /// Runs that ended here, by how.
        package var runs: [RunEnding: Int] = [:]
        package var missedTicks = 0
        package var skippedTicks = 0
        /// Runs of which nobody said how they ended.
        package var lostRuns = 0
        package var takeovers = 0
        /// Microseconds since 1970, by this node's clock.
        package var lastSuccess: Int64?
        /// How many runs took how long, in seconds, from start to end.
        package var timedRuns = 0
        package var runTime = 0.0
    }

    package struct Requests: Equatable, Sendable {
        package var durations = Histogram(bounds: [
            0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
        ])
        /// How many of them had no answer, or one that is an error.
        package var failures = 0
    }

    package private(set) var jobs: [String: Job] = [:]
    package private(set) var requests: [Request: Requests] = [:]
    package private(set) var startSkew = Histogram(bounds: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300])
    /// When the workload of each run that goes on was started, if that was by this daemon.
    private var started: [String: Instant] = [:]

    /// Nothing has happened yet.
    package init() {}

    // MARK: Runs

    /// - Parameter late: how long after its tick was due; nil: it is not the first attempt at a tick.
    package mutating func runStarted(_ runID: String, late: Duration?, at now: Instant) {
        started[runID] = now
        if let late { startSkew.observe(max(0, late.inSeconds)) }
    }

    /// - Parameter time: of this node's clock, in microseconds since 1970.
    package mutating func runEnded(_ runID: String, of job: String, _ ending: RunEnding, time: Int64, at now: Instant) {
        let start = started.removeValue(forKey: runID)
        change(job) { tally in
            tally.runs[ending, default: 0] += 1
            if ending == .succeeded { tally.lastSuccess = time }
            guard let start else { return }
            tally.timedRuns += 1
            tally.runTime += (now - start).inSeconds
        }
    }

    /// The store has noted these, because this node said so.
    package mutating func omitted(_ omissions: [TickPlan.Omission], of job: String) {
        if omissions.isEmpty { return }
        change(job) { tally in
            for omission in omissions {
                switch omission {
                case .missed(let ticks): tally.missedTicks += ticks.count
                case .skipped(let ticks): tally.skippedTicks += ticks.count
                case .lost: tally.lostRuns += 1
                }
            }
        }
    }

    /// The job's lock was granted to this node, and its last holder had not released it.
    package mutating func tookOver(_ job: String) { change(job) { $0.takeovers += 1 } }

    private mutating func change(_ job: String, _ body: (inout Job) -> Void) { body(&jobs[job, default: Job()]) }

    // MARK: The store

    package mutating func answered(_ request: Request, after duration: Duration, isFailure: Bool) {
        requests[request, default: Requests()].durations.observe(duration.inSeconds)
        if isFailure { requests[request]?.failures += 1 }
    }
}

extension Duration {
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}
