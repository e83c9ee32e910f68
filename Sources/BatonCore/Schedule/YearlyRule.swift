// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A rule for each year, as the variable TZ of POSIX has it: `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// A file of tzdata ends with one, for the time after its last transition.
struct YearlyRule: Equatable, Sendable {
    /// Seconds ahead of UTC.
    var standard: Int64
    /// Nil: the clocks are never changed.
    var summer: Summer?

    struct Summer: Equatable, Sendable {
        /// Seconds ahead of UTC.
        var offset: Int64
        /// On clocks with standard time.
        var start: Change
        /// On clocks with summer time.
        var end: Change
    }

    /// A moment of each year.
    struct Change: Equatable, Sendable {
        var day: Day
        /// Seconds since that day began: from -167 to 167 hours.
        var time: Int64
    }

    enum Day: Equatable, Sendable {
        /// `J60`: from 1 to 365. There is no 29 February, and 1 March is always the 60th.
        case withoutLeapDay(Int)
        /// `59`: from 0 to 365, with the 29th of February.
        case withLeapDay(Int)
        /// `M3.5.0`: the fifth of these days of the week in that month, or the last one.
        case weekday(month: Int, week: Int, weekday: Int)
    }

    /// The time around an instant in which no clock is changed.
    func span(at instant: Int64) -> TimeZoneRules.Span {
        var span = TimeZoneRules.Span(
            start: TimeZoneRules.beginning, end: TimeZoneRules.end, offset: standard, offsetBefore: standard)
        guard let summer else { return span }
        let year = CivilDate(daysSinceEpoch: (instant + standard).divided(by: CivilDate.secondsPerDay).quotient).year
        // A change may be a week away from its day: in the year before, or in the one after it.
        for year in year - 2...year + 2 {
            let start = (at: summer.start.seconds(in: year) - standard, offset: summer.offset)
            let end = (at: summer.end.seconds(in: year) - summer.offset, offset: standard)
            for change in start.at <= end.at ? [start, end] : [end, start] {
                if change.at > instant {
                    span.end = min(span.end, change.at)
                } else if change.at >= span.start {
                    if change.at > span.start { span.offsetBefore = span.offset }
                    (span.start, span.offset) = change
                }
            }
        }
        return span
    }
}

extension YearlyRule.Change {
    /// What a clock shows then, in seconds from 1970.
    func seconds(in year: Int) -> Int64 { day.daysSinceEpoch(in: year) * CivilDate.secondsPerDay + time }
}

extension YearlyRule.Day {
    func daysSinceEpoch(in year: Int) -> Int64 {
        switch self {
        case .withoutLeapDay(let number):
            let leapDay = CivilDate.isLeap(year) && number >= 60 ? 1 : 0
            return CivilDate(year: year, month: 1, day: 1).daysSinceEpoch + Int64(number - 1 + leapDay)
        case .withLeapDay(let number):
            return CivilDate(year: year, month: 1, day: 1).daysSinceEpoch + Int64(number)
        case .weekday(let month, let week, let weekday):
            let first = CivilDate(year: year, month: month, day: 1)
            var day = 1 + (weekday - first.weekday).divided(by: 7).remainder + (week - 1) * 7
            if day > CivilDate.length(ofMonth: month, in: year) { day -= 7 }
            return first.daysSinceEpoch + Int64(day - 1)
        }
    }
}
