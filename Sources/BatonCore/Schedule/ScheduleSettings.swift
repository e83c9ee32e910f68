// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// When a job is due, and what becomes of its ticks.
package struct ScheduleSettings: Equatable, Sendable {
    package var schedule: Schedule
    /// How much later than its tick a run starts, at most.
    package var jitter: Duration
    package var catchUp: CatchUp
    /// A tick that is older is missed, not caught up; nil: none is too old.
    package var startDeadline: Duration?
    package var overlap: Overlap
    package var retry: RetrySettings

    /// What becomes of ticks that were missed while no node was up.
    package enum CatchUp: String, Equatable, Sendable, CaseIterable {
        case none
        /// One run, for the last of them.
        case last
        /// A run for each, in order; of more than 100 the latest ones.
        case all
    }

    /// What becomes of a tick that is due while the last run goes on.
    package enum Overlap: String, Equatable, Sendable, CaseIterable {
        case skip
        case queue
        case replace
    }

    /// Everything as it is unless a file says otherwise: no jitter, nothing caught up, no retry.
    package init(_ schedule: Schedule) {
        self.schedule = schedule
        jitter = .zero
        catchUp = .none
        startDeadline = nil
        overlap = .skip
        retry = RetrySettings()
    }

    /// How much later than a tick its run starts: the same on every node, and another for each tick.
    package func delay(ofTick tick: Int64, job: String) -> Duration {
        .milliseconds(StableHash.number(of: "\(job) \(tick)", below: Int(jitter.milliseconds) + 1))
    }
}

/// Whether a tick is tried again whose run came to nothing.
package struct RetrySettings: Equatable, Sendable {
    /// In all, the first one included.
    package var attempts: Int
    /// Between the end of one attempt and the next.
    package var delay: Duration
    package var reasons: Set<Reason>
    /// Whether the node of the last attempt lets others go first.
    package var elsewhere: Bool

    package enum Reason: String, Equatable, Sendable, CaseIterable {
        case failed
        /// Nobody knows how the run ended: its node died, or was cut off.
        case lost
        /// `run.timeout` ended it.
        case timeout
    }

    package init(
        attempts: Int = 1, delay: Duration = .seconds(30), reasons: Set<Reason> = Set(Reason.allCases),
        elsewhere: Bool = true
    ) {
        self.attempts = attempts
        self.delay = delay
        self.reasons = reasons
        self.elsewhere = elsewhere
    }
}
