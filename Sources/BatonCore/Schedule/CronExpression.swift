// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A cron expression: the times on a clock on the wall, without any time zone, at which something is due.
///
/// Five fields, `minute hour day-of-month month day-of-week`, or six with the second *first*, as robfig/cron, Quartz and
/// Spring have it (croniter has it last). One of `@hourly @daily @midnight @weekly @monthly @yearly @annually` stands for
/// five of them. A field is a list of items, with commas between them:
///
/// | item | means |
/// |---|---|
/// | `*` | every value |
/// | `5`, `MON`, `JAN` | this value. Months and days of the week have names, of three letters in either case; 0 and 7 are Sunday |
/// | `9-17`, `FRI-MON`, `22-4` | from the first to the last; past the end of the field it goes on at its beginning |
/// | `*/15`, `9-17/2`, `22-4/2` | of those every so manyth, counted from the first |
/// | `5/15` | from 5 to the end of the field, every 15th |
/// | `H` | a value made of the job's name: jobs are spread over the field, and each stays where it is. Of the days of a month one of 1 to 28 |
/// | `H(0-29)`, `H/15`, `H(0-29)/10` | of these values; every 15th from a first one so chosen |
///
/// **Days.** As crontab(5) has it: when both day fields are restricted, a day is meant if either is met: `0 0 13 * FRI` is
/// every 13th and every Friday. A field that begins with `*` restricts nothing in this sense, and then both must be met:
/// `0 0 */2 * MON` is the Mondays that are odd days, `0 0 1-7 * */7` the first Sunday of a month.
///
/// An expression always has a next time, within 40 years at most: one that never has is refused.
package struct CronExpression: Equatable, Sendable {
    /// As it was written.
    package let text: String
    let seconds: NumberSet
    let minutes: NumberSet
    let hours: NumberSet
    let days: NumberSet
    let months: NumberSet
    let weekdays: NumberSet
    /// Whether a day must be in `days` and `weekdays`; if not, one of them is enough.
    let needsBothDays: Bool
    /// Whether it is meant to be due again and again through the day, every hour or every few hours or more often: its
    /// hour field begins with `*` or is `H/n`. See `Schedule` for what that means when clocks are changed.
    package let repeatsThroughTheDay: Bool

    /// The last year that is looked at.
    static let lastYear = 9999

    /// The first time after this one; nil when there is none before the year 10000.
    ///
    /// - Parameter time: seconds from 1970 on that clock, as if every day had 86,400.
    func next(after time: Int64) -> Int64? {
        let (day, second) = (time + 1).divided(by: CivilDate.secondsPerDay)
        guard let found = firstDay(from: day) else { return nil }
        if found == day, let inDay = timeOfDay(from: Int(second)) { return found * CivilDate.secondsPerDay + inDay }
        guard let later = found == day ? firstDay(from: day + 1) : found, let inDay = timeOfDay(from: 0) else {
            return nil
        }
        return later * CivilDate.secondsPerDay + inDay
    }

    /// The first second of a day, from this one on.
    private func timeOfDay(from second: Int) -> Int64? {
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60)
        func time(_ hour: Int?, _ minute: Int?, _ second: Int?) -> Int64? {
            guard let hour, let minute, let second else { return nil }
            return Int64(hour * 3600 + minute * 60 + second)
        }
        let (firstMinute, firstSecond) = (minutes.first(from: 0), seconds.first(from: 0))
        if hours.contains(hour) {
            if minutes.contains(minute), let found = time(hour, minute, seconds.first(from: second)) { return found }
            if let found = time(hour, minutes.first(from: minute + 1), firstSecond) { return found }
        }
        return time(hours.first(from: hour + 1), firstMinute, firstSecond)
    }

    /// The first day, from this one on. It goes from month to month: the whole of a month is looked at in one step.
    private func firstDay(from day: Int64) -> Int64? {
        var date = CivilDate(daysSinceEpoch: day)
        while date.year <= Self.lastYear {
            if months.contains(date.month), let found = daysOfMonth(date.month, in: date.year).first(from: date.day) {
                date.day = found
                return date.daysSinceEpoch
            }
            date.day = 1
            if let month = months.first(from: date.month + 1) {
                date.month = month
            } else {
                date.year += 1
                date.month = 1
            }
        }
        return nil
    }

    private func daysOfMonth(_ month: Int, in year: Int) -> NumberSet {
        let all: UInt64 = (2 << UInt64(CivilDate.length(ofMonth: month, in: year))) - 2
        // Seven bits, turned so that the first one is the weekday of the 1st, then written down five times.
        let first = UInt64(CivilDate(year: year, month: month, day: 1).weekday)
        let week = (weekdays.bits >> first | weekdays.bits << (7 - first)) & 0b111_1111
        let fiveWeeks = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1
        return NumberSet(bits: all & (needsBothDays ? days.bits & fiveWeeks : days.bits | fiveWeeks))
    }
}
