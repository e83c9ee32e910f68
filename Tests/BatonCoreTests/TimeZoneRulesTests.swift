// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// The files of tzdata: what is read, and what is refused. Against real ones: `TimeZoneFolderTests`.
@Suite struct TimeZoneRulesTests {
    /// A file, made by hand.
    struct File {
        var version: UInt8 = UInt8(ascii: "2")
        var transitions: [(at: Int64, type: UInt8)] = [(0, 1), (1_000_000, 0)]
        var offsets: [Int32] = [3600, 7200]
        var leapSeconds = 0
        /// With the ends of lines around it.
        var footer = "\nCET-1CEST,M3.5.0,M10.5.0/3\n"

        var bytes: Bytes {
            version == 0 ? part(size: 4) : part(size: 4) + part(size: 8) + Bytes(footer.utf8)
        }

        private func part(size: Int) -> Bytes {
            func number(_ value: Int64, _ size: Int) -> Bytes {
                (0..<size).map { UInt8(truncatingIfNeeded: value >> Int64(8 * (size - 1 - $0))) }
            }
            var bytes = Bytes("TZif".utf8) + [version] + Bytes(repeating: 0, count: 15)
            for count in [1, 0, leapSeconds, transitions.count, offsets.count, 4] { bytes += number(Int64(count), 4) }
            for transition in transitions { bytes += number(transition.at, size) }
            bytes += transitions.map(\.type)
            for offset in offsets { bytes += number(Int64(offset), 4) + [0, 0] }
            bytes += Bytes("CET\0".utf8) + Bytes(repeating: 1, count: leapSeconds * (size + 4)) + [0]
            return bytes
        }
    }

    private static func read(_ file: File) throws -> TimeZoneRules { try TimeZoneRules(name: "test", file: file.bytes) }

    @Test func theTableThenTheFooter() throws {
        for version in ["2", "3", "4", "9"] as [Unicode.Scalar] {
            let rules = try Self.read(File(version: UInt8(ascii: version)))
            #expect(rules.offset(at: .min) == 3600)
            #expect(rules.offset(at: -1) == 3600)
            #expect(rules.offset(at: 0) == 7200)
            #expect(rules.offset(at: 999_999) == 7200)
            #expect(rules.offset(at: 1_000_000) == 3600)
            // Summer 1970, by the footer.
            #expect(rules.offset(at: 15_000_000) == 7200)
            #expect(rules.offset(at: Moment.at("2026-03-29 00:59:59")) == 3600)
            #expect(rules.offset(at: Moment.at("2026-03-29 01:00")) == 7200)
            #expect(rules.offset(at: Moment.at("2026-10-25 00:59:59")) == 7200)
            #expect(rules.offset(at: Moment.at("2026-10-25 01:00")) == 3600)
            #expect(rules.offset(at: Moment.at("9998-07-01 00:00")) == 7200)
            #expect(rules.offset(at: .max) >= 3600)
        }
    }

    @Test func spansHaveBothEnds() throws {
        let rules = try Self.read(File())
        #expect(rules.span(at: 5) == TimeZoneRules.Span(start: 0, end: 1_000_000, offset: 7200, offsetBefore: 3600))
        let last = rules.span(at: 1_000_000)
        #expect(last.start == 1_000_000 && last.offset == 3600 && last.offsetBefore == 7200)
        #expect(last.end == Moment.at("1970-03-29 01:00"))
        #expect(rules.span(at: -9).start == TimeZoneRules.beginning)
        #expect(TimeZoneRules.utc.span(at: 0).end == TimeZoneRules.end)
    }

    @Test func versionOneHasNoFooter() throws {
        let rules = try Self.read(File(version: 0))
        #expect(rules.offset(at: 5) == 7200)
        #expect(rules.offset(at: 15_000_000) == 3600)
        #expect(rules.span(at: 15_000_000).end == TimeZoneRules.end)
    }

    @Test func anEmptyFooterChangesNothingAndNoTableIsAllFooter() throws {
        #expect(try Self.read(File(footer: "\n\n")).offset(at: 15_000_000) == 3600)
        let rules = try Self.read(File(transitions: [], offsets: [0], footer: "\n<+0330>-3:30\n"))
        #expect(rules.offset(at: 0) == 12600)
        #expect(try Self.read(File(transitions: [], footer: "\n\n")).offset(at: 0) == 3600)
    }

    @Test func transitionsOfAllTimesAreTaken() throws {
        // Old files begin with one at -2^59.
        let rules = try Self.read(File(transitions: [(-1 << 59, 1), (0, 0), (1 << 59, 1)], footer: "\n\n"))
        #expect(rules.transitions.count == 1)
        #expect(rules.offset(at: -5) == 7200 && rules.offset(at: .min) == 7200 && rules.offset(at: 5) == 3600)
        #expect(try Self.read(File(transitions: [(.min, 1), (.max, 0)])).transitions.isEmpty)
    }

    @Test(
        arguments: [
            (File(transitions: [(5, 0), (5, 1)]), "has transitions out of order"),
            (File(transitions: [(5, 0), (4, 1)]), "has transitions out of order"),
            (File(transitions: [(5, 2)]), "has a transition to a type that is not there"),
            (File(offsets: []), "has no local time type"),
            (File(offsets: [0, 93_600]), "has an offset of 93600 s"),
            (File(offsets: [0, .min]), "has an offset of -2147483648 s"),
            (File(leapSeconds: 1), "counts leap seconds, as the zones in right/ do; schedules count as POSIX does"),
            (File(footer: ""), "has no footer"),
            (File(footer: "\nCET-1"), "has no footer"),
            (File(footer: "CET-1\n"), "has no footer"),
            (File(footer: "\nCET\n"), "has a footer that is no rule: 'CET'"),
            (File(version: UInt8(ascii: "1")), "has no version that could be"),
        ] as [(File, String)])
    func badFiles(file: File, reason: String) {
        let error = #expect(throws: TimeZoneError.self) { try Self.read(file) }
        #expect(error?.reason == reason)
    }

    @Test func noFileThatIsCutShortOrSpoiltDoesHarm() throws {
        let whole = File().bytes
        for length in 0..<whole.count {
            #expect(throws: TimeZoneError.self) { try TimeZoneRules(name: "test", file: Bytes(whole[..<length])) }
        }
        #expect(throws: TimeZoneError(reason: "is no time zone: it has no TZif header")) {
            try TimeZoneRules(name: "test", file: Bytes("# tab separated\n".utf8))
        }
        var random = SplitMix(state: 5)
        let noon = try CronExpression("30 2 * * *", job: "report")
        for _ in 0..<20_000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let rules = try? TimeZoneRules(name: "test", file: bytes) else { continue }
            let instant = Int64(bitPattern: random.next())
            _ = Schedule.cron(noon, rules).next(after: instant)
            _ = Schedule.cron(noon, rules).next(after: instant >> 30)
        }
    }

    @Test(
        arguments: [
            ("UTC0", 0), ("<+0330>-3:30", 12600), ("<-00>0", 0), ("NST3:30", -12600), ("XXX-24:59:59", 89_999),
            ("ABC+5", -18000), ("ABC-05:00:01", 18001),
        ] as [(String, Int64)])
    func rulesWithoutSummer(text: String, offset: Int64) {
        #expect(YearlyRule(text.utf8) == YearlyRule(standard: offset, summer: nil))
    }

    /// What each kind of day means, and times beyond the day on both sides.
    @Test(arguments: [
        ("EST5EDT,M3.2.0,M11.1.0", "2026-03-08 07:00", "2026-11-01 06:00"),
        ("EST5EDT4,M3.2.0/2,M11.1.0/02:00:00", "2026-03-08 07:00", "2026-11-01 06:00"),
        ("NZST-12NZDT,M9.5.0,M4.1.0/3", "2026-09-26 14:00", "2026-04-04 14:00"),
        ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29 01:00", "2026-10-25 01:00"),
        ("EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28 00:00", "2026-10-23 23:00"),
        ("IST-1GMT0,M10.5.0,M3.5.0/1", "2026-10-25 01:00", "2026-03-29 01:00"),
        ("AAA0BBB,J59/0,J60/0", "2026-02-28 00:00", "2026-02-28 23:00"),
        ("AAA0BBB,58/0,59/0", "2026-02-28 00:00", "2026-02-28 23:00"),
        ("AAA0BBB,J1/-167,J365/167", "2025-12-25 01:00", "2027-01-06 22:00"),
        ("AAA0BBB0:30,M6.1.1/12:30:15,M7.5.3", "2026-06-01 12:30:15", "2026-07-29 02:30"),
    ])
    func rulesWithSummer(text: String, start: String, end: String) throws {
        let rule = try #require(YearlyRule(text.utf8))
        let summer = try #require(rule.summer)
        #expect(summer.start.seconds(in: 2026) - rule.standard == Moment.at(start))
        #expect(summer.end.seconds(in: 2026) - summer.offset == Moment.at(end))
    }

    @Test func leapDaysInRules() {
        let day = { (day: YearlyRule.Day, year: Int) in CivilDate(daysSinceEpoch: day.daysSinceEpoch(in: year)) }
        #expect(day(.withoutLeapDay(60), 2027) == CivilDate(year: 2027, month: 3, day: 1))
        #expect(day(.withoutLeapDay(60), 2028) == CivilDate(year: 2028, month: 3, day: 1))
        #expect(day(.withoutLeapDay(59), 2028) == CivilDate(year: 2028, month: 2, day: 28))
        #expect(day(.withLeapDay(59), 2028) == CivilDate(year: 2028, month: 2, day: 29))
        #expect(day(.withLeapDay(0), 2028) == CivilDate(year: 2028, month: 1, day: 1))
        #expect(day(.weekday(month: 2, week: 5, weekday: 2), 2028) == CivilDate(year: 2028, month: 2, day: 29))
        #expect(day(.weekday(month: 2, week: 5, weekday: 2), 2027) == CivilDate(year: 2027, month: 2, day: 23))
    }

    /// Summer all the year, as RFC 9636 writes it: each one begins as the one before ends.
    @Test func summerForEver() {
        let zone = TimeZoneRules.always("XXX3EDT4,0/0,J365/23")
        for year in 2020...2030 {
            for date in [CivilDate(year: year, month: 1, day: 1), CivilDate(year: year, month: 7, day: 1)] {
                for second in [-7201, -1, 0, 1, 3600, 10799, 10800, 14399, 14400, 18000] as [Int64] {
                    let span = zone.span(at: date.daysSinceEpoch * 86400 + second)
                    #expect(span.offset == -14400 && span.offsetBefore == -14400)
                }
            }
        }
    }

    @Test(arguments: [
        "", "CE-1", "CET", "CET-", "CET25", "CET-1:60", "CET-1:", "CET1234", "<CET-1", "<>0", "C1T0", "CET-1CEST",
        "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,", "CET-1CEST,M3.5.0,M10.5.0/",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5,M10.5.0", "CET-1CEST,J0,J1", "CET-1CEST,J366,J1", "CET-1CEST,366,1",
        "CET-1CEST,M3.5.0,M10.5.0/3 ", "CET-1CEST,M3.5.0,M10.5.0,M1.1.1", " CET-1", "CET--1",
        "CET-1CEST-1;M3.5.0,M10.5.0",
    ])
    func badRules(text: String) {
        #expect(YearlyRule(text.utf8) == nil)
    }

    @Test(arguments: [
        ("Europe/Berlin", true), ("UTC", true), ("America/Argentina/Buenos_Aires", true), ("Etc/GMT+5", true),
        ("posix/Asia/Tokyo", true), ("EST5EDT", true), ("", false), ("/etc/passwd", false), ("../passwd", false),
        ("Europe/../../passwd", false), ("Europe/..", false), ("./UTC", false), ("Europe//Berlin", false),
        ("Europe/", false), ("a\0b", false), ("Europe/Berlin\n", false), (".hidden", false), ("Zürich", false),
        ("Europe Berlin", false), (String(repeating: "a", count: 101), false), ("localtime", false),
    ])
    func names(name: String, isGood: Bool) {
        #expect((TimeZoneRules.problem(ofName: name) == nil) == isGood)
    }
}
