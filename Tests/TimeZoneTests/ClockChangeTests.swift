// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Testing

@testable import BatonCore
@testable import BatonTestSupport

/// Baton and croniter at every change of the clocks from 2000 to 2040, in twenty zones.
@Suite struct ClockChangeTests {
    /// What croniter does otherwise when clocks are changed.
    enum Difference: String, CaseIterable {
        /// A time that comes twice, of an expression with fixed hours: due once, the first time. There it is due twice.
        case comesTwice
        /// A time that does not exist, of an expression that repeats through the day: not due. There `*/2` in the hour
        /// field is due right after the gap (and `*`, as here, is not).
        case doesNotExist
        /// The hour is `*/n`, clocks are put back in the middle of an hour (Chatham, at 3:45 to 2:45), and the next time
        /// is in the part of an hour that comes again: due. There it is passed over.
        case partOfAnHour
        /// An expression with a second other than 0, and a time that does not exist: due right after the gap. There the
        /// second stays, and it is due so much later.
        case keepsItsSecond
    }

    /// Half hours, quarter hours, two hours; midnight; the southern half; winter time as the exception; Ramadan; a day
    /// that was left out; none since long.
    private static let zones = [
        "Africa/Cairo", "Africa/Casablanca", "America/Havana", "America/New_York", "America/Nuuk", "America/Santiago",
        "America/Sao_Paulo", "America/St_Johns", "Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Kolkata",
        "Asia/Tehran", "Australia/Lord_Howe", "Australia/Sydney", "Europe/Berlin", "Europe/Dublin", "Europe/London",
        "Pacific/Apia", "Pacific/Chatham",
    ]

    private struct Case {
        var expression: CronExpression
        var zone: TimeZoneRules
        var instant: Int64

        var question: PythonSchedules.Question { question(count: 1) }
        func question(count: Int) -> PythonSchedules.Question {
            .ticks(cron: expression.text, zone: zone.name, after: instant, count: count)
        }
        var tick: Int64? { Schedule.cron(expression, zone).next(after: instant) }

        func isMet(at instant: Int64) -> Bool {
            let shown = instant + zone.offset(at: instant)
            return expression.next(after: shown - 1) == shown
        }

        /// Why croniter has a tick that is none; nil: it is one.
        func objection(to tick: Int64) -> Difference? {
            let span = zone.span(at: tick)
            if expression.repeatsThroughTheDay { return tick == span.start && !isMet(at: tick) ? .doesNotExist : nil }
            return tick + span.offset < span.start + span.offsetBefore && isMet(at: tick) ? .comesTwice : nil
        }
    }

    /// All changes of a zone's clocks.
    private static func changes(of zone: TimeZoneRules) -> [TimeZoneRules.Span] {
        var (found, span) = ([TimeZoneRules.Span](), zone.span(at: 946_684_800))
        while span.end < 2_240_524_800 {
            span = zone.span(at: span.end)
            if span.offset != span.offsetBefore { found.append(span) }
        }
        return found
    }

    /// An expression that has to do with the hours around a change.
    private static func draw(_ change: TimeZoneRules.Span, _ random: inout SplitMix) -> String {
        let minutes = random.pick(-5400, -1800, -600, 0, 600, 1800, 3000, 5400) as Int64
        let shown = change.start + random.pick(change.offset, change.offsetBefore) + minutes
        let (day, second) = shown.divided(by: 86400)
        let date = CivilDate(daysSinceEpoch: day)
        let (hour, minute) = (second / 3600, second / 60 % 60)
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<3: return "\(minute) \(hour) * * *"
        case 3: return "*/\(random.pick(5, 7, 15, 30)) \(hour) * * *"
        case 4, 5: return "\(random.pick("0", "30", "*/15", "15,45")) * * * *"
        case 6: return "\(random.pick("0", "30", "*/15")) */\(random.pick(2, 3, 12)) * * *"
        case 7: return "\(minute) \(max(0, hour - 1)),\(hour) \(date.day) * *"
        case 8: return "\(minute) \(hour) * * \(date.weekday)"
        default: return "\(random.pick(0, 30)) \(minute),59 \(hour) * \(date.month) *"
        }
    }

    @Test func everyDifferenceHasARule() async throws {
        var random = SplitMix(seed: 1)
        var cases: [Case] = []
        for name in Self.zones {
            let zone = try TimeZoneFolder.system.rules(of: name)
            let changes = Self.changes(of: zone)
            // Kolkata has none, Sao Paulo and Tehran have none any more.
            #expect(changes.count > 10 || name == "Asia/Kolkata", "\(name): \(changes.count)")
            for change in changes.isEmpty ? [zone.span(at: 946_684_800), zone.span(at: 1_800_000_000)] : changes {
                for _ in 0..<(TestLength.isLong ? 40 : 4) {
                    let expression = try CronExpression(Self.draw(change, &random), job: "")
                    for _ in 0..<3 {
                        let distance =
                            random.pick(
                                -86400, -7300, -3700, -1900, -600, -1, 0, 1, 599, 1900, 3500, 7300) as Int64
                        cases.append(Case(expression: expression, zone: zone, instant: max(0, change.start) + distance))
                    }
                }
            }
        }
        let answers = try await PythonSchedules.ask(cases.map(\.question))
        let differing = zip(cases, answers).filter { $0.tick != $1.first }.map(\.0)
        // In an hour that comes twice everything may: 60 ticks that are none, before the one that is.
        let later = try await PythonSchedules.ask(differing.map { $0.question(count: 70) })

        var explained: [Difference: Int] = [:]
        for (example, ticks) in zip(differing, later) {
            if let reason = Self.explanation(of: example, ticks) {
                explained[reason, default: 0] += 1
            } else {
                Issue.record("\(example.question): \(ticks.prefix(3)), here \(example.tick ?? 0)")
            }
        }
        #expect(cases.count > 15_000)
        #expect(explained[.comesTwice] ?? 0 > 100 && explained[.doesNotExist] ?? 0 > 20, "\(explained)")
        // Rare, and so that nothing else hides behind them.
        #expect(explained[.partOfAnHour] ?? 0 < cases.count / 2000, "\(explained)")
        #expect(explained[.keepsItsSecond] ?? 0 < cases.count / 200, "\(explained)")
    }

    /// Why croniter has these ticks; nil: no rule says it.
    private static func explanation(of example: Case, _ ticks: [Int64]) -> Difference? {
        var reason: Difference?
        let first = ticks.first { tick in
            guard let objection = example.objection(to: tick) else { return true }
            reason = objection
            return false
        }
        guard let first, let tick = example.tick else { return nil }
        if first == tick { return reason }
        if isPassedOver(tick, example, first) { return .partOfAnHour }
        let isAfterGap = tick == example.zone.span(at: tick).start && !example.isMet(at: tick)
        let second = Int(first - tick)
        return isAfterGap && (1..<60).contains(second) && example.expression.seconds == NumberSet([second])
            ? .keepsItsSecond : nil
    }

    /// Whether a tick is one that croniter misses: by the definition, minute by minute.
    private static func isPassedOver(_ tick: Int64, _ example: Case, _ other: Int64) -> Bool {
        let span = example.zone.span(at: tick)
        let isAgain = tick + span.offset < span.start + span.offsetBefore
        let first = (example.instant + 1...tick).first { example.isMet(at: $0) }
        return example.expression.repeatsThroughTheDay && isAgain && first == tick && other > tick
            && (span.start + span.offset) % 3600 != 0
    }
}
