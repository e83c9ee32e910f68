// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Testing

@testable import BatonCore
@testable import BatonTestSupport

/// Baton's schedules beside those of croniter, the package that most of Python uses.
///
/// They are not the same on purpose. `Difference` lists where, and why; what it does not explain is a failure.
@Suite struct CroniterTests {
    /// How croniter reads an expression otherwise than Baton.
    enum Difference: String, CaseIterable {
        /// `5-5` is 5; there it is the whole field. crontab(5) has it as here.
        case equalEnds
        /// `22-4/2` is 22, 0, 2, 4: the step counts along the range. There the part before the end of the field and the
        /// part after it are counted apart, so that `22-5/3` becomes 22, 2, 5.
        case stepOverTheEnd
        /// A day field that has all values, but does not begin with a star, restricts as crontab(5) says:
        /// `0 0 13 * 0-6` is every day. There it is as good as a star: every 13th.
        case allDaysWithoutStar

        /// Whether an expression is of the kind.
        func explains(_ text: String) -> Bool {
            let words = text.split(separator: " ")
            return zip(CronField.allCases.suffix(words.count), words).contains { field, word in
                let isDay = field == .dayOfMonth || field == .dayOfWeek
                let items = word.split(separator: ",")
                if self == .allDaysWithoutStar {
                    let values = try? CronExpression(
                        "0 0 \(isDay && field == .dayOfMonth ? "\(word) * *" : "* * \(word)")", job: "")
                    let set = field == .dayOfMonth ? values?.days : values?.weekdays
                    return isDay && !word.hasPrefix("*")
                        && (items.contains("*") || field.range.allSatisfy { set?.contains($0) ?? false })
                }
                return items.contains { item in
                    let parts = item.split(separator: "/")
                    let ends = parts[0].split(separator: "-").map { end in
                        field.names.firstIndex(of: String(end)).map { $0 + field.range.lowerBound } ?? Int(end) ?? -1
                    }
                    guard ends.count == 2 else { return false }
                    let (first, last) = field == .dayOfWeek ? (ends[0] % 7, ends[1] % 7) : (ends[0], ends[1])
                    return self == .equalEnds ? first == last : last < first && parts.count == 2
                }
            }
        }
    }

    /// The same, with nothing but lists of numbers, which both read alike.
    private static func plain(_ expression: CronExpression) -> (text: String, bothDays: Bool) {
        let sets = [
            expression.seconds, expression.minutes, expression.hours, expression.days, expression.months,
            expression.weekdays,
        ]
        var words = zip(CronField.allCases, sets).map { field, set in
            field.range.allSatisfy(set.contains)
                ? "*" : field.range.filter(set.contains).map(String.init).joined(separator: ",")
        }
        // One that is met every day is enough: every day.
        if !expression.needsBothDays, words[3] == "*" || words[5] == "*" { (words[3], words[5]) = ("*", "*") }
        return (words.joined(separator: " "), expression.needsBothDays)
    }

    private static func draw(_ random: inout SplitMix) -> String {
        let fields = random.chance(30) ? CronField.allCases[...] : CronField.allCases.dropFirst()
        return fields.map { field in
            func value() -> String {
                let number = Int.random(in: field.range.lowerBound...field.largest, using: &random)
                let index = number - field.range.lowerBound
                return random.chance(30) && index < field.names.count ? field.names[index] : String(number)
            }
            func step() -> String { "/\(Int.random(in: 1...random.pick(2, 5, field.range.count), using: &random))" }
            if random.chance(30) { return "*" }
            let items = (0..<random.pick(1, 1, 1, 2, 3)).map { _ in
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<3: value()
                case 3..<5: "*" + step()
                case 5: "*"
                case 6..<8: "\(value())-\(value())"
                case 8: "\(value())-\(value())" + step()
                default: value() + step()
                }
            }
            return items.joined(separator: ",")
        }.joined(separator: " ")
    }

    @Test func randomExpressionsMeanTheSame() async throws {
        var random = SplitMix(seed: 1)
        var (cases, questions) = ([(text: String, tick: Int64?)](), [PythonSchedules.Question]())
        for _ in 0..<(TestLength.isLong ? 20_000 : 3000) {
            let text = Self.draw(&random)
            guard let expression = try? CronExpression(text, job: "") else { continue }
            let (plain, bothDays) = Self.plain(expression)
            for _ in 0..<2 {
                let instant = Int64.random(in: 946_684_800...2_240_000_000, using: &random)
                cases.append((text, Schedule.cron(expression, .utc).next(after: instant)))
                questions += [
                    .ticks(cron: text, zone: "UTC", after: instant),
                    .ticks(cron: plain, zone: "UTC", after: instant, bothDays: bothDays),
                ]
            }
        }
        let answers = try await PythonSchedules.ask(questions)
        var explained: [Difference: Int] = [:]
        for (index, (text, tick)) in cases.enumerated() {
            #expect(answers[index * 2 + 1].first == tick, "\(text): \(questions[index * 2 + 1])")
            if answers[index * 2].first == tick { continue }
            let reasons = Difference.allCases.filter { $0.explains(text) }
            for reason in reasons { explained[reason, default: 0] += 1 }
            #expect(!reasons.isEmpty, "\(text): \(questions[index * 2]), \(answers[index * 2]), here \(tick ?? 0)")
        }
        #expect(cases.count > 5000)
        #expect(explained.count == Difference.allCases.count, "a rule explains nothing: \(explained)")
    }
}
