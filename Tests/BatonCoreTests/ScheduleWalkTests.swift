// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// The ticks of random expressions in random zones, against the definition that `Schedule` gives, minute by minute.
@Suite struct ScheduleWalkTests {
    /// Clocks that are changed often and by all kinds of steps, but not again before a change has passed.
    private static func zone(_ random: inout SplitMix) -> TimeZoneRules {
        var at = Int64.random(in: 0...20_000, using: &random) * 86400
        var transitions: [TimeZoneRules.Transition] = []
        let first = Int64.random(in: -48...56, using: &random) * 900
        var offset = first
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            let step = Int64.random(in: 1...12, using: &random) * (random.next() % 2 == 0 ? 900 : -900)
            offset = max(-50400, min(50400, offset + (random.next() % 8 == 0 ? step * 8 : step)))
            transitions.append(TimeZoneRules.Transition(at: at, offset: offset))
            at += Int64.random(in: 120...400, using: &random) * 900
        }
        return TimeZoneRules(name: "random", firstOffset: first, transitions: transitions, yearly: nil)
    }

    private static func field(_ range: ClosedRange<Int>, _ random: inout SplitMix) -> String {
        let (one, other) = (Int.random(in: range, using: &random), Int.random(in: range, using: &random))
        switch random.next() % 7 {
        case 0, 1: return "*"
        case 2: return "*/\(Int.random(in: 1...range.count, using: &random))"
        case 3, 4: return "\(one)"
        case 5: return "\(one),\(other)"
        default: return "\(one)-\(other)"
        }
    }

    /// The instants in a window at which something is due: as it is defined, and no faster than that.
    private static func ticks(
        _ expression: CronExpression, _ zone: TimeZoneRules, _ window: ClosedRange<Int64>
    ) -> [Int64] {
        /// Whether something is due when a clock goes on from after one time to another.
        func isDue(after start: Int64, through end: Int64) -> Bool {
            expression.next(after: start).map { $0 <= end } ?? false
        }
        var found: [Int64] = []
        // What has been shown before; two days are more than any clock is put back here.
        var latest = Int64.min
        for instant in stride(from: window.lowerBound - 172_800, through: window.upperBound, by: 60) {
            let shown = instant + zone.offset(at: instant)
            let due =
                expression.repeatsThroughTheDay
                ? isDue(after: shown - 1, through: shown)
                : shown > latest && isDue(after: max(latest, shown - 172_800), through: shown)
            latest = max(latest, shown)
            if due && window.contains(instant) { found.append(instant) }
        }
        return found
    }

    @Test func theTicksAreThoseOfTheDefinition() throws {
        var random = SplitMix(state: 3)
        var (all, crowded) = (0, 0)
        for round in 0..<100 {
            let zone = Self.zone(&random)
            let text = "\(Self.field(0...59, &random)) \(Self.field(0...23, &random)) * * \(Self.field(0...6, &random))"
            let expression = try CronExpression(text, job: "report")
            let schedule = Schedule.cron(expression, zone)
            let start = zone.transitions[0].at - 86400
            let window = start...min(zone.transitions[zone.transitions.count - 1].at + 172_800, start + 86400 * 12)
            let wanted = Self.ticks(expression, zone, window)

            var found: [Int64] = []
            while let tick = schedule.next(after: found.last ?? start - 1), tick <= window.upperBound {
                found.append(tick)
            }
            try #require(found == wanted, "round \(round): \(text) \(zone)")
            all += found.count
            if found.count > 1000 { crowded += 1 }
            try #require(schedule.ticks(after: start - 1, through: window.upperBound, limit: 50) == found.suffix(50))

            // From anywhere, forwards and back.
            for _ in 0..<20 {
                let instant = Int64.random(in: window, using: &random)
                if let next = found.first(where: { $0 > instant }) {
                    try #require(schedule.next(after: instant) == next, "round \(round): \(text) \(zone)")
                    try #require(schedule.previous(before: next) ?? .min <= instant)
                }
                if let previous = found.last(where: { $0 < instant }) {
                    try #require(schedule.previous(before: instant) == previous, "round \(round): \(text) \(zone)")
                    try #require(schedule.next(after: previous) ?? .max >= instant)
                }
            }
        }
        #expect(all > 10_000 && crowded > 2)
    }

    /// However often and however wildly clocks are changed: later is later, and it comes to an end.
    @Test func noZoneMakesItSpinOrGoBack() throws {
        var random = SplitMix(state: 4)
        for _ in 0..<100 {
            var at = Int64.random(in: 0...1000, using: &random)
            let transitions = (0..<Int.random(in: 1...60, using: &random)).map { _ in
                at += Int64.random(in: 1...100_000, using: &random)
                return TimeZoneRules.Transition(at: at, offset: Int64.random(in: -93_599...93_599, using: &random))
            }
            let rule = YearlyRule(
                "AAA\(random.next() % 25)BBB\(random.next() % 25),J\(random.next() % 365 + 1)/-167,\(random.next() % 366)/167"
                    .utf8)
            let zone = TimeZoneRules(
                name: "wild", firstOffset: 0, transitions: transitions, yearly: random.next() % 2 == 0 ? rule : nil)
            let text =
                "\(Self.field(0...59, &random)) \(Self.field(0...23, &random)) \(Self.field(1...28, &random)) * *"
            let schedule = Schedule.cron(try CronExpression(text, job: "report"), zone)
            var instant: Int64 = -86400
            for _ in 0..<100 {
                guard let tick = schedule.next(after: instant) else { break }
                try #require(tick > instant, "\(text) \(zone)")
                // Whoever asks a little later is told the same.
                let between = Int64.random(in: instant..<tick, using: &random)
                try #require(schedule.next(after: between) == tick, "\(text) \(zone)")
                try #require(instant == -86400 || schedule.previous(before: tick) == instant, "\(text) \(zone)")
                instant = tick
            }
        }
    }
}
