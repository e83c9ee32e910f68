// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonCore

/// When jobs are due.
extension FuzzTarget {
    private static let instants: [Int64] = [
        .min, -62_135_596_801, -1, 0, 951_782_400, 1_774_745_999, 1_792_889_999, 253_402_300_000, .max,
    ]

    func fuzzSchedules(_ input: Bytes) throws {
        guard let text = String(validating: input, as: UTF8.self) else { return }
        let expression: CronExpression
        do {
            expression = try CronExpression(text, job: "report")
        } catch {
            return try require(error.description.utf8.count < 1000, "\(text): a long story, \(error)")
        }
        let start: Int64 = 1_774_743_000
        guard let next = expression.next(after: start) else {
            throw Violation(description: "'\(text)' has no next time")
        }
        try require(next > start && next - start < 41 * 366 * 86400, "'\(text)': \(next) after \(start)")
        try require(expression.next(after: next - 1) == next, "'\(text)': \(next), and not again")
        let zone = TimeZoneRules(
            name: "Berlin", firstOffset: 3600, transitions: [],
            yearly: YearlyRule("CET-1CEST,M3.5.0,M10.5.0/3".utf8))
        try checkTicks(.cron(expression, zone), text)
    }

    func fuzzZones(_ input: Bytes) throws {
        guard let zone = try? TimeZoneRules(name: "test", file: input) else { return }
        for instant in Self.instants + zone.transitions.suffix(20).map(\.at) {
            let span = zone.span(at: instant)
            let inside = min(max(instant, TimeZoneRules.beginning), TimeZoneRules.end)
            try require(
                span.start <= inside && (inside < span.end || span.end == TimeZoneRules.end), "\(span), \(instant)")
            try require(abs(span.offset) < 200_000 && abs(span.offsetBefore) < 200_000, "\(span)")
        }
        for text in ["30 2 * * *", "*/7 * * * *", "0 0 29 2 *"] {
            try checkTicks(.cron(try CronExpression(text, job: "report"), zone), text)
        }
    }

    private func checkTicks(_ schedule: Schedule, _ text: String) throws {
        for instant in Self.instants {
            if let tick = schedule.next(after: instant) {
                try require(tick > instant && Schedule.instants.contains(tick), "'\(text)': \(tick) after \(instant)")
                let before = schedule.previous(before: tick)
                try require(before ?? .min <= instant, "'\(text)': \(before ?? 0) before \(tick), after \(instant)")
            }
            guard let tick = schedule.previous(before: instant) else { continue }
            try require(tick < instant, "'\(text)': \(tick) before \(instant)")
            try require(schedule.next(after: tick - 1) == tick, "'\(text)': \(tick) is a tick, and is not")
        }
    }
}
