// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension ScheduleSettings {
    /// The first tick whose run is still to come: one that is delayed by its jitter may be past.
    ///
    /// - Parameters:
    ///   - position: up to where the job's ticks are settled or claimed; nil: it is not known.
    ///   - now: the store's time, in microseconds.
    package func nextTick(of job: String, after position: Int64?, at now: Int64) -> Int64? {
        let earliest = now / 1_000_000 - jitter.microseconds / 1_000_000 - 1
        var tick = schedule.next(after: max(position ?? earliest, earliest))
        while let candidate = tick, candidate * 1_000_000 + delay(ofTick: candidate, job: job).microseconds <= now {
            tick = schedule.next(after: candidate)
        }
        return tick
    }
}
