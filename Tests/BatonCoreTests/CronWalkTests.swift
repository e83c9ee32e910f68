// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// The next time of an expression, against the plainest search there is: second by second, or day by day.
@Suite struct CronWalkTests {
    /// An expression and, made apart from its text, the values that each of its fields allows.
    private struct Drawn {
        var text: String
        var allowed: [Set<Int>]
        var needsBothDays: Bool

        func isMet(onDay day: Int64) -> Bool {
            let date = CivilDate(daysSinceEpoch: day)
            let (byDate, byWeek) = (allowed[3].contains(date.day), allowed[5].contains(date.weekday))
            return allowed[4].contains(date.month) && (needsBothDays ? byDate && byWeek : byDate || byWeek)
        }

        func isMet(at time: Int64) -> Bool {
            let (day, second) = time.divided(by: 86400)
            return allowed[2].contains(Int(second / 3600)) && allowed[1].contains(Int(second / 60 % 60))
                && allowed[0].contains(Int(second % 60)) && isMet(onDay: day)
        }
    }

    private static func draw(_ random: inout SplitMix) -> Drawn {
        var fields = CronField.allCases.map { field in
            Int.random(in: 0..<10, using: &random) < 3 ? ("*", Set(field.range)) : list(field, &random)
        }
        if Int.random(in: 0..<20, using: &random) == 0 {
            // Some that are never met.
            fields[3] = random.next() % 2 == 0 ? ("31", [31]) : ("30-31", [30, 31])
            fields[4] = random.next() % 2 == 0 ? ("2", [2]) : ("APR,6", [4, 6])
        }
        return Drawn(
            text: fields.map(\.0).joined(separator: " "), allowed: fields.map(\.1),
            needsBothDays: fields[3].0.hasPrefix("*") || fields[5].0.hasPrefix("*"))
    }

    private static func list(_ field: CronField, _ random: inout SplitMix) -> (String, Set<Int>) {
        var (items, values) = ([String](), Set<Int>())
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let (first, last) = (
                Int.random(in: field.range, using: &random), Int.random(in: field.range, using: &random)
            )
            let step = Int.random(in: 1...field.range.count, using: &random)
            func every(_ step: Int, from first: Int, to last: Int) -> [Int] {
                // Along the field, one by one, from its end to its beginning.
                var (found, value, index) = ([Int](), first, 0)
                while true {
                    if index % step == 0 { found.append(value) }
                    if value == last { return found }
                    value = value == field.range.upperBound ? field.range.lowerBound : value + 1
                    index += 1
                }
            }
            func name(_ value: Int) -> String {
                let index = value - field.range.lowerBound
                return Bool.random(using: &random) && !field.names.isEmpty ? field.names[index] : String(value)
            }
            switch Int.random(in: 0..<5, using: &random) {
            case 0: (items, values) = (items + [name(first)], values.union([first]))
            case 1:
                items.append("\(name(first))-\(name(last))")
                values.formUnion(every(1, from: first, to: last))
            case 2:
                items.append("\(name(first))-\(name(last))/\(step)")
                values.formUnion(every(step, from: first, to: last))
            case 3:
                items.append("*/\(step)")
                values.formUnion(every(step, from: field.range.lowerBound, to: field.range.upperBound))
            default:
                items.append("\(name(first))/\(step)")
                values.formUnion(every(step, from: first, to: field.range.upperBound))
            }
        }
        return (items.joined(separator: ","), values)
    }

    @Test func theNextTimeIsTheFirstThatIsMet() throws {
        var random = SplitMix(state: 1)
        var refused = 0
        for _ in 0..<3000 {
            let drawn = Self.draw(&random)
            guard let expression = try? CronExpression(drawn.text, job: "report") else {
                // The only reason can be that no day is met, not even in 400 years; the leap day decides it in 8.
                refused += 1
                #expect(!(0..<3000).contains { drawn.isMet(onDay: $0) }, "\(drawn.text)")
                continue
            }
            var time = Int64.random(in: -1_000_000_000...4_000_000_000, using: &random)
            for _ in 0..<3 {
                guard let next = expression.next(after: time) else {
                    Issue.record("\(drawn.text) has no next time after \(time)")
                    break
                }
                try #require(next > time && drawn.isMet(at: next), "\(drawn.text) after \(time): \(next)")
                let missed = Self.first(of: drawn, after: time, before: next)
                try #require(missed == nil, "\(drawn.text) after \(time): \(next)")
                time = next
            }
        }
        #expect((1...200).contains(refused))
    }

    /// The first time between two that is met.
    private static func first(of drawn: Drawn, after time: Int64, before end: Int64) -> Int64? {
        var time = time + 1
        while time < end {
            let (day, second) = time.divided(by: 86400)
            // Step over what cannot be: days, hours, minutes.
            if !drawn.isMet(onDay: day) {
                time = (day + 1) * 86400
            } else if !drawn.allowed[2].contains(Int(second / 3600)) {
                time += 3600 - second % 3600
            } else if !drawn.allowed[1].contains(Int(second / 60 % 60)) {
                time += 60 - second % 60
            } else if !drawn.isMet(at: time) {
                time += 1
            } else {
                return time
            }
        }
        return nil
    }

    /// The rarest there are.
    @Test(arguments: [
        ("0 0 29 2 *", ["1896-2-29", "1904-2-29", "1908-2-29"]),
        ("0 0 29 2 */7", ["1880-2-29", "1920-2-29", "1948-2-29"]),
        ("0 0 */28 2 1", ["1886-2-1", "1892-2-1", "1892-2-29", "1897-2-1", "1904-2-1", "1904-2-29"]),
    ])
    func leapDays(text: String, wanted: [String]) throws {
        let expression = try CronExpression(text, job: "report")
        var time =
            (wanted[0].contains("1896")
            ? CivilDate(year: 1896, month: 1, day: 1) : CivilDate(year: 1880, month: 2, day: 2))
            .daysSinceEpoch * 86400
        for day in wanted {
            time = try #require(expression.next(after: time))
            let date = CivilDate(daysSinceEpoch: time / 86400)
            #expect("\(date.year)-\(date.month)-\(date.day)" == day)
        }
    }

    @Test func afterTheLastYearThereIsNothing() throws {
        let expression = try CronExpression("0 0 31 12 *", job: "report")
        let last = CivilDate(year: 9999, month: 12, day: 31).daysSinceEpoch * 86400
        #expect(expression.next(after: last - 1) == last)
        #expect(expression.next(after: last) == nil)
    }
}
