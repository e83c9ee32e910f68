// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// What expressions mean, and which are refused. That the next time is found: `CronWalkTests`.
@Suite struct CronExpressionTests {
    private static func numbers(_ set: NumberSet) -> [Int] { (0...63).filter(set.contains) }

    @Test(
        arguments: [
            ("*", .minute, Array(0...59)), ("*", .dayOfMonth, Array(1...31)), ("*", .month, Array(1...12)),
            ("*", .dayOfWeek, Array(0...6)), ("5", .hour, [5]), ("05", .hour, [5]), ("0", .dayOfWeek, [0]),
            ("7", .dayOfWeek, [0]), ("MON", .dayOfWeek, [1]), ("sat", .dayOfWeek, [6]), ("Feb,DEC", .month, [2, 12]),
            ("1,3,5", .month, [1, 3, 5]), ("3,1,1", .month, [1, 3]), ("9-17", .hour, Array(9...17)),
            ("9-17/4", .hour, [9, 13, 17]), ("*/15", .minute, [0, 15, 30, 45]), ("*/7", .dayOfWeek, [0]),
            ("*/2", .dayOfMonth, Array(stride(from: 1, through: 31, by: 2))), ("*/60", .second, [0]),
            ("*/59", .minute, [0, 59]), ("5/15", .minute, [5, 20, 35, 50]), ("59/15", .minute, [59]),
            ("7/2", .dayOfWeek, [0, 2, 4, 6]), ("3/2", .dayOfWeek, [3, 5]), ("22-4", .hour, [0, 1, 2, 3, 4, 22, 23]),
            ("22-4/2", .hour, [0, 2, 4, 22]), ("22-5/3", .hour, [1, 4, 22]), ("FRI-MON", .dayOfWeek, [0, 1, 5, 6]),
            ("5-7", .dayOfWeek, [0, 5, 6]), ("5-0", .dayOfWeek, [0, 5, 6]), ("7-2", .dayOfWeek, [0, 1, 2]),
            ("0-7", .dayOfWeek, Array(0...6)), ("1-7/2", .dayOfWeek, [0, 1, 3, 5]),
            ("NOV-FEB", .month, [1, 2, 11, 12]),
            ("28-3", .dayOfMonth, [1, 2, 3, 28, 29, 30, 31]), ("5-5", .hour, [5]), ("7-7", .dayOfWeek, [0]),
            ("1-10/5,20", .dayOfMonth, [1, 6, 20]),
        ] as [(String, CronField, [Int])])
    func fieldsMean(text: String, field: CronField, wanted: [Int]) throws {
        var fields = ["*", "*", "*", "*", "*", "*"]
        let index = try #require(CronField.allCases.firstIndex(of: field))
        fields[index] = text
        let expression = try CronExpression(fields.joined(separator: " "), job: "report")
        let sets = [
            expression.seconds, expression.minutes, expression.hours, expression.days, expression.months,
            expression.weekdays,
        ]
        #expect(Self.numbers(sets[index]) == wanted)
    }

    @Test(arguments: [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@Annually", "0 0 1 1 *"), (" @daily ", "0 0 * * *"),
        ("0 5 * * * *", "5 * * * *"), ("\t1  2 3\t4 5 ", "1 2 3 4 5"),
    ])
    func otherWaysToSayIt(text: String, same: String) throws {
        let (left, right) = (try CronExpression(text, job: "a"), try CronExpression(same, job: "a"))
        #expect(
            [left.seconds, left.minutes, left.hours, left.days, left.months, left.weekdays] == [
                right.seconds, right.minutes, right.hours, right.days, right.months, right.weekdays,
            ])
        #expect(left.needsBothDays == right.needsBothDays)
        #expect(left.repeatsThroughTheDay == right.repeatsThroughTheDay)
        #expect(left.text == text)
    }

    /// crontab(5): either day field, unless one of them begins with a star.
    @Test(arguments: [
        ("0 0 13 * FRI", false), ("0 0 1-31 * FRI", false), ("0 0 13 * 0-6", false), ("0 0 13,* * FRI", false),
        ("0 0 * * FRI", true), ("0 0 13 * *", true), ("0 0 */2 * FRI", true), ("0 0 1-7 * */7", true),
        ("0 0 *,13 * FRI", true), ("0 0 H * FRI", false), ("0 0 H/2 * FRI", false),
    ])
    func whetherOneDayFieldIsEnough(text: String, both: Bool) throws {
        #expect(try CronExpression(text, job: "report").needsBothDays == both)
    }

    @Test(arguments: [
        ("0 * * * *", true), ("* * * * * *", true), ("30 */2 * * *", true), ("@hourly", true), ("H * * * *", true),
        ("0 H/4 * * *", true), ("0 h/4 * * *", true), ("0 2 * * *", false), ("*/5 2 * * *", false),
        ("0 0-23 * * *", false), ("0 0/2 * * *", false), ("0 1,* * * *", false), ("0 H * * *", false),
        ("0 H(0-6)/2 * * *", false), ("@daily", false),
    ])
    func whatRepeatsThroughTheDay(text: String, wanted: Bool) throws {
        #expect(try CronExpression(text, job: "report").repeatsThroughTheDay == wanted)
    }

    /// It says where, what, and what may stand there.
    @Test(arguments: [
        ("", "'' has 0 fields; wanted 5 (minute hour day-of-month month day-of-week), or 6 with the second first"),
        (
            "* * * *",
            "'* * * *' has 4 fields; wanted 5 (minute hour day-of-month month day-of-week), or 6 with the second first"
        ),
        (
            "0 0 12 * * MON 2026",
            "'0 0 12 * * MON 2026' has 7 fields; wanted 5 (minute hour day-of-month month day-of-week), or 6 with the second first"
        ),
        (
            "@reboot",
            "'@reboot' is none of @annually @daily @hourly @midnight @monthly @weekly @yearly"
        ),
        ("@every 10m", "'@every 10m' is no cron expression; every = \"10m\" says that"),
        ("60 * * * *", "minute '60' cannot be; wanted 0 to 59"),
        ("60 * * * * *", "second '60' cannot be; wanted 0 to 59"),
        ("* 24 * * *", "hour '24' cannot be; wanted 0 to 23"),
        ("* * 0 * *", "day of month '0' cannot be; wanted 1 to 31"),
        ("* * 32 * *", "day of month '32' cannot be; wanted 1 to 31"),
        ("* * * 13 *", "month '13' cannot be; wanted 1 to 12 or JAN to DEC"),
        ("* * * * 8", "day of week '8' cannot be; wanted 0 to 7 (0 and 7 are Sunday) or SUN to SAT"),
        ("* * 1-32 * *", "day of month '1-32' cannot be; wanted 1 to 31"),
        ("99999999999999999999 * * * *", "minute '99999999999999999999' cannot be; wanted 0 to 59"),
        ("* * * JUNE *", "month 'JUNE' is no value; wanted 1 to 12 or JAN to DEC, with * - / , H"),
        ("* * * MON *", "month 'MON' is no value; wanted 1 to 12 or JAN to DEC, with * - / , H"),
        ("a * * * *", "minute 'a' is no value; wanted 0 to 59, with * - / , H"),
        ("-5 * * * *", "minute '-5' is no value; wanted 0 to 59, with * - / , H"),
        ("1-2-3 * * * *", "minute '1-2-3' is no value; wanted 0 to 59, with * - / , H"),
        ("+5 * * * *", "minute '+5' is no value; wanted 0 to 59, with * - / , H"),
        ("٣ * * * *", "minute '٣' is no value; wanted 0 to 59, with * - / , H"),
        ("** * * * *", "minute '**' is no value; wanted 0 to 59, with * - / , H"),
        ("*-5 * * * *", "minute '*-5' is no value; wanted 0 to 59, with * - / , H"),
        ("1, * * * *", "minute '1,' has an empty item in its list; wanted 0 to 59"),
        (", * * * *", "minute ',' has an empty item in its list; wanted 0 to 59"),
        ("*/0 * * * *", "minute '*/0' has no step that fits behind its /; wanted 1 to 60"),
        ("*/61 * * * *", "minute '*/61' has no step that fits behind its /; wanted 1 to 60"),
        ("*/90 * * * *", "minute '*/90' has no step that fits behind its /; wanted 1 to 60"),
        ("* */25 * * *", "hour '*/25' has no step that fits behind its /; wanted 1 to 24"),
        ("*/ * * * *", "minute '*/' has no step that fits behind its /; wanted 1 to 60"),
        ("*/2/2 * * * *", "minute '*/2/2' has no step that fits behind its /; wanted 1 to 60"),
        ("*/x * * * *", "minute '*/x' has no step that fits behind its /; wanted 1 to 60"),
        ("/5 * * * *", "minute '/5' is no value; wanted 0 to 59, with * - / , H"),
        ("0 12 ? * MON", "day of month '?' is Quartz's and not supported; wanted 1 to 31, with * - / , H"),
        ("0 12 L * *", "day of month 'L' is Quartz's and not supported; wanted 1 to 31, with * - / , H"),
        ("0 12 15W * *", "day of month '15W' is Quartz's and not supported; wanted 1 to 31, with * - / , H"),
        (
            "0 12 * * FRI#2",
            "day of week 'FRI#2' is Quartz's and not supported; wanted 0 to 7 (0 and 7 are Sunday) or SUN to SAT, with * - / , H"
        ),
        ("Hx * * * *", "minute 'Hx' is no hash; wanted H, H/STEP, H(FIRST-LAST) or H(FIRST-LAST)/STEP, with 0 to 59"),
        (
            "H(5) * * * *",
            "minute 'H(5)' is no hash; wanted H, H/STEP, H(FIRST-LAST) or H(FIRST-LAST)/STEP, with 0 to 59"
        ),
        ("H( * * * *", "minute 'H(' is no hash; wanted H, H/STEP, H(FIRST-LAST) or H(FIRST-LAST)/STEP, with 0 to 59"),
        ("H(0-60) * * * *", "minute 'H(0-60)' cannot be; wanted 0 to 59"),
        ("0 0 30 2 *", "day of month '30' never comes: month '2' has at most 29 days"),
        ("0 0 31 FEB,APR-JUN/2 *", "day of month '31' never comes: month 'FEB,APR-JUN/2' has at most 30 days"),
        ("0 0 30-31 2 */2", "day of month '30-31' never comes: month '2' has at most 29 days"),
    ])
    func refused(text: String, message: String) {
        let error = #expect(throws: CronError.self) { try CronExpression(text, job: "report") }
        #expect(error?.description == message)
    }

    @Test func whatIsFarTooLongIsNotRead() {
        let text = "0 0 * * " + Array(repeating: "1", count: 500).joined(separator: ",")
        let error = #expect(throws: CronError.self) { try CronExpression(text, job: "report") }
        #expect(error?.reason == "… is longer than 1000 bytes")
        #expect(error?.text.count == 60)
    }

    /// These are for ever: another version of Baton, or another node, must not start a job at another time.
    @Test(arguments: [
        ("report", [45, 22, 18, 16, 1, 6]),
        ("backup", [6, 52, 21, 7, 3, 0]),
        ("a", [23, 0, 4, 18, 2, 2]),
        ("job-0001", [46, 13, 22, 1, 6, 3]),
    ])
    func hashesStayAsTheyAre(job: String, wanted: [Int]) throws {
        let expression = try CronExpression("H H H H H H", job: job)
        let sets = [
            expression.seconds, expression.minutes, expression.hours, expression.days, expression.months,
            expression.weekdays,
        ]
        #expect(sets.map(Self.numbers) == wanted.map { [$0] })
    }

    @Test func hashesStayInTheirRangeAndAreSpreadOverIt() throws {
        var minutes = [Int: Int]()
        for number in 0..<3000 {
            let job = "job-\(number)"
            let expression = try CronExpression("H H(22-4) H H(1-6)/2 H", job: job)
            let minute = Self.numbers(expression.minutes)
            #expect(minute.count == 1)
            minutes[minute[0], default: 0] += 1
            #expect(Set([22, 23, 0, 1, 2, 3, 4]).isSuperset(of: Self.numbers(expression.hours)))
            #expect((1...28).contains(Self.numbers(expression.days)[0]))
            #expect([[1, 3, 5], [2, 4, 6]].contains(Self.numbers(expression.months)))
            #expect(Self.numbers(expression.weekdays).count == 1)
            let quarters = Self.numbers(try CronExpression("H/15 H/7 * * *", job: job).minutes)
            #expect(
                quarters.count == 4 && quarters[0] < 15
                    && zip(quarters, quarters.dropFirst()).allSatisfy { $1 - $0 == 15 })
        }
        // 50 each, give or take 7: three times that is beyond chance.
        #expect(minutes.count == 60)
        #expect(minutes.values.allSatisfy { (25...80).contains($0) })
    }
}
