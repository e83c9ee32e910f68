// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// When clocks are changed, and at the ends of time.
@Suite struct ScheduleTests {
    private static func cron(_ text: String, _ zone: TimeZoneRules = .utc) throws -> Schedule {
        .cron(try CronExpression(text, job: "report"), zone)
    }

    /// A day in a zone, and what is due in it.
    struct Day: Sendable, CustomTestStringConvertible {
        var cron: String
        var zone: TimeZoneRules
        /// In UTC; not with `to`.
        var from: String
        var to: String
        var ticks: [String]

        init(_ cron: String, _ zone: TimeZoneRules, _ from: String, _ to: String, _ ticks: String...) {
            (self.cron, self.zone, self.from, self.to, self.ticks) = (cron, zone, from, to, ticks)
        }

        var testDescription: String { "\(cron) in \(zone.name) from \(from)" }
    }

    @Test(arguments: [
        // A time that does not exist is due once, right after the gap.
        Day(
            "30 2 * * *", .berlin, "2026-03-28 12:00", "2026-03-30 12:00", "2026-03-29 03:00 +2", "2026-03-30 02:30 +2"),
        Day("0 2 * * *", .berlin, "2026-03-29 00:00", "2026-03-29 12:00", "2026-03-29 03:00 +2"),
        Day("*/15 2 * * *", .berlin, "2026-03-29 00:00", "2026-03-29 12:00", "2026-03-29 03:00 +2"),
        Day("0 2,3 * * *", .berlin, "2026-03-29 00:00", "2026-03-29 12:00", "2026-03-29 03:00 +2"),
        Day(
            "10 1-3 * * *", .berlin, "2026-03-28 23:00", "2026-03-29 12:00", "2026-03-29 01:10 +1",
            "2026-03-29 03:00 +2", "2026-03-29 03:10 +2"),
        Day("15 2 * * *", .lordHowe, "2026-10-03 12:00", "2026-10-04 12:00", "2026-10-04 02:30 +11"),
        Day("0 3 * * *", .chatham, "2026-09-26 12:00", "2026-09-27 10:00", "2026-09-27 03:45 +13:45"),
        Day("30 1 * * *", .troll, "2026-03-29 00:00", "2026-03-29 12:00", "2026-03-29 03:00 +2"),
        Day("0 0 * * *", .santiago, "2026-09-06 00:00", "2026-09-07 00:00", "2026-09-06 01:00 -3"),
        Day("30 1 * * *", .dublin, "2026-03-28 12:00", "2026-03-29 12:00", "2026-03-29 02:00 +1"),
        Day("0 12 30 12 *", .apia, "2011-12-01 00:00", "2012-12-01 00:00", "2011-12-31 00:00 +14"),
        // Its day counts, not the one that the clock shows then.
        Day("30 12 * * FRI", .apia, "2011-12-28 00:00", "2012-01-03 00:00", "2011-12-31 00:00 +14"),
        // A time that comes twice is due once, the first time.
        Day(
            "30 2 * * *", .berlin, "2026-10-24 12:00", "2026-10-26 12:00", "2026-10-25 02:30 +2", "2026-10-26 02:30 +1"),
        Day("0 2 * * *", .berlin, "2026-10-24 12:00", "2026-10-25 12:00", "2026-10-25 02:00 +2"),
        Day("0 3 * * *", .berlin, "2026-10-24 12:00", "2026-10-25 12:00", "2026-10-25 03:00 +1"),
        Day("30 2 * * *", .berlin, "2026-10-25 01:00", "2026-10-25 12:00"),
        Day(
            "*/20 1-2 * * *", .berlin, "2026-10-24 23:10", "2026-10-25 12:00", "2026-10-25 01:20 +2",
            "2026-10-25 01:40 +2", "2026-10-25 02:00 +2", "2026-10-25 02:20 +2", "2026-10-25 02:40 +2"),
        Day("45 1 * * *", .lordHowe, "2026-04-03 20:00", "2026-04-05 00:00", "2026-04-05 01:45 +11"),
        Day("30 23 * * *", .santiago, "2026-04-04 12:00", "2026-04-05 12:00", "2026-04-04 23:30 -3"),
        Day("0 0 * * *", .santiago, "2026-04-04 12:00", "2026-04-05 12:00", "2026-04-05 00:00 -4"),
        // What repeats through the day follows real time.
        Day(
            "30 * * * *", .berlin, "2026-03-28 23:45", "2026-03-29 03:00", "2026-03-29 01:30 +1", "2026-03-29 03:30 +2",
            "2026-03-29 04:30 +2"),
        Day(
            "30 * * * *", .berlin, "2026-10-24 23:00", "2026-10-25 03:00", "2026-10-25 01:30 +2", "2026-10-25 02:30 +2",
            "2026-10-25 02:30 +1", "2026-10-25 03:30 +1"),
        Day(
            "0 */2 * * *", .berlin, "2026-03-28 23:00", "2026-03-29 03:00", "2026-03-29 00:00 +1", "2026-03-29 04:00 +2"
        ),
        Day(
            "0 */2 * * *", .berlin, "2026-10-24 22:00", "2026-10-25 04:00", "2026-10-25 00:00 +2",
            "2026-10-25 02:00 +2", "2026-10-25 02:00 +1", "2026-10-25 04:00 +1"),
        Day(
            "*/20 * * * *", .lordHowe, "2026-04-04 14:30", "2026-04-04 16:00", "2026-04-05 01:40 +11",
            "2026-04-05 01:40 +10:30", "2026-04-05 02:00 +10:30", "2026-04-05 02:20 +10:30"),
        Day(
            "*/15 * * * *", .kolkata, "2026-03-28 23:00", "2026-03-29 00:00", "2026-03-29 04:30 +5:30",
            "2026-03-29 04:45 +5:30", "2026-03-29 05:00 +5:30", "2026-03-29 05:15 +5:30"),
        Day(
            "0 0 */12 * * *", .santiago, "2026-09-05 12:00", "2026-09-06 20:00", "2026-09-05 12:00 -4",
            "2026-09-06 12:00 -3"),
        // The last second that does not exist is none either.
        Day(
            "59 59 * * * *", .berlin, "2026-03-29 00:00", "2026-03-29 02:00", "2026-03-29 01:59:59 +1",
            "2026-03-29 03:59:59 +2"),
        // Seconds, and the year after next.
        Day(
            "30 59 23 31 12 *", .newYork, "2026-01-01 12:00", "2028-01-01 12:00", "2026-12-31 23:59:30 -5",
            "2027-12-31 23:59:30 -5"),
    ])
    func onDaysWhenClocksAreChanged(day: Day) throws {
        let schedule = try Self.cron(day.cron, day.zone)
        let (from, to) = (Moment.at(day.from), Moment.at(day.to))
        var ticks: [Int64] = []
        while let tick = schedule.next(after: ticks.last ?? from - 1), tick < to { ticks.append(tick) }
        #expect(ticks.map { Moment.text($0, in: day.zone) } == day.ticks)
        #expect(schedule.ticks(after: from - 1, through: to - 1, limit: 100) == ticks)
        #expect(schedule.previous(before: to) ?? .min >= ticks.last ?? .min)
    }

    @Test(
        arguments: [
            (600, 0, 600), (600, 599, 600), (600, -1, 0), (600, -600, 0), (600, -601, -600), (1, 41, 42), (7, 700, 707),
            (86400, 1_774_746_000, 1_774_828_800),
        ] as [(Int64, Int64, Int64)])
    func everyCountsFromTheEpoch(seconds: Int64, after: Int64, tick: Int64) {
        let schedule = Schedule.every(seconds: seconds)
        #expect(schedule.next(after: after) == tick)
        #expect(schedule.previous(before: tick + 1) == tick)
        #expect(schedule.previous(before: tick) == tick - seconds)
    }

    /// Nothing overflows, and nothing comes from before the year 1 or after 9999.
    @Test func atTheEndsOfTime() throws {
        let schedules: [Schedule] = [
            .every(seconds: 1), .every(seconds: 31_622_400), .every(seconds: .max), .every(seconds: 0),
            try Self.cron("* * * * * *"), try Self.cron("0 0 29 2 */7", .berlin), try Self.cron("0 0 1 1 *", .chatham),
            try Self.cron("0 12 31 12 *", .santiago), try Self.cron("0 0 1 1 *", .apia),
            try Self.cron("* * * * *", .always("AAA-24:59:59BBB,0/-167,J365/167")),
            try Self.cron("0 0 1 1 *", .always("AAA24:59:59BBB-24:59:59,J365/167,0/-167")),
        ]
        let span = Schedule.instants
        let instants: [Int64] = [
            .min, .min + 1, .min / 2, span.lowerBound - 1, span.lowerBound, span.lowerBound + 1, 0,
            span.upperBound - 40_000_000, span.upperBound - 1, span.upperBound, span.upperBound + 1, .max / 2, .max - 1,
            .max,
        ]
        for schedule in schedules {
            for instant in instants {
                if let tick = schedule.next(after: instant) { #expect(tick > instant && span.contains(tick)) }
                if let tick = schedule.previous(before: instant) {
                    #expect(tick < instant && span.contains(tick))
                    #expect(schedule.next(after: tick).map { $0 >= instant } ?? true)
                }
                #expect(schedule.ticks(after: instant, through: .max, limit: 3).count <= 3)
            }
            #expect(schedule.next(after: .max) == nil && schedule.previous(before: .min) == nil)
        }
        let seconds = Schedule.every(seconds: 1)
        #expect(seconds.next(after: .min) == span.lowerBound)
        #expect(seconds.previous(before: .max) == span.upperBound)
        #expect(Schedule.every(seconds: .max).next(after: 0) == nil)
        #expect(Schedule.every(seconds: .max).next(after: -5) == 0)
    }

    /// From every second of two hours.
    @Test(arguments: ["* * * * * *", "3,4,9,40-55/5 1-50/7 * * * *", "0 */20 * * * *", "59 59 13 * * *"])
    func theLastTickBefore(text: String) throws {
        let schedule = try Self.cron(text)
        let start = Moment.at("2026-05-05 12:59:59")
        var last = schedule.previous(before: start)
        var wrong = 0
        for instant in start...start + 7200 {
            if schedule.previous(before: instant) != last { wrong += 1 }
            if schedule.next(after: instant - 1) == instant { last = instant }
        }
        #expect(wrong == 0)
    }

    @Test func ofManyTicksTheLatestAreTaken() throws {
        let schedule = try Self.cron("*/5 * * * *")
        #expect(schedule.ticks(after: 0, through: 1200, limit: 10) == [300, 600, 900, 1200])
        #expect(schedule.ticks(after: 0, through: 1199, limit: 2) == [600, 900])
        #expect(schedule.ticks(after: 300, through: 599, limit: 2) == [])
        #expect(schedule.ticks(after: 300, through: 300, limit: 2) == [])
        #expect(schedule.ticks(after: 300, through: 0, limit: 2) == [])
        #expect(schedule.ticks(after: 0, through: 1200, limit: 0) == [])
    }

    @Test func theLeastTimeBetweenTwoTicks() throws {
        for (text, seconds) in [
            ("* * * * * *", 1), ("0,59 * * * * *", 1), ("*/15 * * * *", 900), ("0,59 * * * *", 60),
            ("0 0,23 * * *", 3600),
            ("0 9 * * MON,WED", 172_800), ("0 0 29 2 *", 126_230_400), ("0 0 1,31 * *", 86400),
        ] as [(String, Int64)] {
            #expect(try Self.cron(text, .berlin).shortestPeriod == seconds, "\(text)")
        }
        #expect(Schedule.every(seconds: 600).shortestPeriod == 600)
        #expect(Schedule.every(seconds: .max).shortestPeriod == nil)
    }

    /// For ever, as the hash of a name: another node must not start a run at another time.
    @Test func jitterIsTheSameEverywhere() {
        var settings = ScheduleSettings(.every(seconds: 600))
        #expect(settings.delay(ofTick: 600, job: "report") == .zero)
        settings.jitter = .seconds(300)
        #expect(settings.delay(ofTick: 600, job: "report") == .milliseconds(293_916))
        #expect(settings.delay(ofTick: 1200, job: "report") == .milliseconds(286_214))
        #expect(settings.delay(ofTick: 600, job: "backup") == .milliseconds(292_483))
        let delays = (0..<2000).map { settings.delay(ofTick: $0 * 600, job: "report") }
        #expect(delays.allSatisfy { (.zero ... .seconds(300)).contains($0) })
        #expect(delays.count { $0 < .seconds(100) } > 550 && delays.count { $0 > .seconds(200) } > 550)
    }

    @Test func instantsAreWrittenAsPeopleReadThem() {
        #expect(RFC3339.text(of: 0) == "1970-01-01T00:00:00Z")
        #expect(RFC3339.text(of: Moment.at("2026-03-29 01:02:03")) == "2026-03-29T01:02:03Z")
        #expect(RFC3339.text(of: Moment.at("2026-03-29 01:00"), in: .berlin) == "2026-03-29T03:00:00+02:00")
        #expect(RFC3339.text(of: 0, in: .newYork) == "1969-12-31T19:00:00-05:00")
        #expect(RFC3339.text(of: 0, in: .always("NST3:30")) == "1969-12-31T20:30:00-03:30")
        #expect(RFC3339.text(of: 0, in: .utc) == "1970-01-01T00:00:00+00:00")
        #expect(RFC3339.text(of: .min) == "0001-01-01T00:00:00Z")
        #expect(RFC3339.text(of: .max) == "9999-12-31T23:59:59Z")
    }
}
