// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The next ticks of a job, as `batonctl next` tells them.
package struct NextReport: Codable, Equatable, Sendable {
    package struct Tick: Codable, Equatable, Sendable {
        /// In UTC, as `BATON_TICK` has it.
        package var tick: String
        /// On the clocks of the job's zone.
        package var local: String
        /// In UTC, with the jitter of this tick: when its run starts.
        package var starts: String
    }

    package var job: String
    /// The expression; nil with `every`.
    package var schedule: String?
    /// In seconds; nil with `schedule`.
    package var every: Int64?
    package var timezone: String
    /// In order; fewer than were asked for when there are no more.
    package var ticks: [Tick]

    /// The first `count` ticks whose runs are still to come, of a job that a node has.
    ///
    /// - Parameters:
    ///   - position: up to where the job's ticks are settled or claimed; nil: it is not known.
    ///   - now: the store's time, in microseconds.
    package init(job: String, _ settings: ScheduleSettings, position: Int64?, at now: Int64, count: Int) {
        let first = settings.nextTick(of: job, after: position, at: now)
        self.init(job: job, settings, after: first.map { $0 - 1 } ?? Schedule.instants.upperBound, count: count)
    }

    /// The first `count` ticks after an instant.
    package init(job: String, _ settings: ScheduleSettings, after instant: Int64, count: Int) {
        self.job = job
        var zone = TimeZoneRules.utc
        switch settings.schedule {
        case .every(let seconds): every = seconds
        case .cron(let expression, let rules): (schedule, zone) = (expression.text, rules)
        }
        timezone = zone.name
        ticks = []
        var instant = instant
        while ticks.count < count, let tick = settings.schedule.next(after: instant) {
            let delay = settings.delay(ofTick: tick, job: job).components.seconds
            ticks.append(
                Tick(
                    tick: RFC3339.text(of: tick), local: RFC3339.text(of: tick, in: zone),
                    starts: RFC3339.text(of: tick + delay)))
            instant = tick
        }
    }
}
