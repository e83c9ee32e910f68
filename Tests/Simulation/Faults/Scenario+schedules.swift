// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Jobs that are due now and then.
extension Scenario {
    /// Some of the jobs of some worlds have a schedule. With chances of its own: all else of a seed's world is as it was
    /// before there were such jobs.
    mutating func setSchedules(_ unit: Int64) {
        var drowsiness = Chance(seed: seed, stream: 7)
        hasDormantJobs = drowsiness.happens(700)
        var chance = Chance(seed: seed, stream: 6)
        guard chance.happens(300) else { return }
        for index in jobs.indices where chance.happens(700) {
            let period = max(1, unit / 1000) * chance.pick([1, 1, 2] as [Int64])
            var schedule = ScheduleSettings(.every(seconds: period))
            schedule.catchUp = chance.pick(ScheduleSettings.CatchUp.allCases)
            schedule.overlap = chance.pick(ScheduleSettings.Overlap.allCases)
            schedule.startDeadline = chance.pick([nil, nil, .seconds(period * 3)] as [Duration?])
            schedule.retry = RetrySettings(
                attempts: chance.pick([1, 2, 3]), delay: .milliseconds(chance.between(1, period * 500)),
                elsewhere: chance.happens(500))
            jobs[index].definition.schedule = schedule
            if chance.happens(200) { jobs[index].definition.run.timeout = .milliseconds(period * 700) }
            let milli: Int64 = 1_000_000
            jobs[index].work.lasts = chance.between(1, period * chance.pick([100, 1000, 2500])) * milli
            jobs[index].work.fails = chance.happens(300)
        }
    }
}
