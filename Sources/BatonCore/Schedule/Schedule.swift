// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// When a job is due: its ticks. All instants are seconds since 1970 in UTC, without leap seconds.
///
/// They depend on nothing but this value: not on when a daemon was started, nor on the tick before.
///
/// **When clocks are changed.** A time of a cron expression is due at the first instant at which the clocks of its zone
/// show that time *or a later one*:
///
/// - a time that does not exist, since the clocks are put forward over it, is due once, right after the gap; all times
///   of one gap together are one tick;
/// - a time that comes twice, since the clocks are put back, is due once, the first time.
///
/// So `30 2 * * *` has one tick on every day. An expression that repeats through the day, whose hour field begins with
/// `*` or is `H/n`, follows real time instead: it is due whenever the clocks show one of its times, twice in an hour that
/// comes twice and not at all in one that does not come. `*/15 * * * *` is every 15 minutes of real time. (`0 */12 * * *`
/// is not due at a midnight that does not exist; `0 0,12 * * *` is, right after it.) `every` knows no clocks.
package enum Schedule: Equatable, Sendable {
    /// Every so many seconds, at least 1, counted from 1970.
    case every(seconds: Int64)
    case cron(CronExpression, TimeZoneRules)

    /// Where ticks may be: the years 1 to 9999. An earlier instant is as good as the first one; later there is nothing.
    package static let instants: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// The first tick after an instant; nil: there is none any more.
    package func next(after instant: Int64) -> Int64? {
        let instant = max(instant, Self.instants.lowerBound - 1)
        if instant >= Self.instants.upperBound { return nil }
        let tick: Int64?
        switch self {
        case .every(let seconds):
            let period = max(1, seconds)
            let remainder = instant.divided(by: period).remainder
            tick = period - remainder > Self.instants.upperBound - instant ? nil : instant - remainder + period
        case .cron(let expression, let zone): tick = expression.next(after: instant, in: zone)
        }
        return tick.flatMap { Self.instants.contains($0) ? $0 : nil }
    }

    /// The last tick before an instant; nil: there was none yet.
    ///
    /// It asks `next` some 60 times at most, less often for what is due often.
    package func previous(before instant: Int64) -> Int64? {
        let instant = min(instant, Self.instants.upperBound + 1)
        // There is no tick between `late` and `instant`. Once `found` is one, the last one is not before it.
        var (late, early, step, found) = (instant, instant, Int64(1), Int64?.none)
        while found == nil {
            if early < Self.instants.lowerBound { return nil }
            late = early
            early = max(early - step, Self.instants.lowerBound - 1)
            step *= 2
            found = next(after: early).flatMap { $0 < instant ? $0 : nil }
        }
        while let tick = found, tick < late {
            let middle = tick + (late - tick) / 2
            if let later = next(after: middle), later < instant { found = later } else { late = middle }
        }
        return found
    }

    /// The least time between two ticks, in seconds, as far as the next hundred show it; nil: there are not two.
    ///
    /// What is due in several seconds, minutes or hours shows it with the first of them.
    package var shortestPeriod: Int64? {
        let schedule: Schedule =
            switch self {
            case .every: self
            case .cron(let expression, _): .cron(expression, .utc)
            }
        var (shortest, last) = (Int64?.none, schedule.next(after: 0))
        for _ in 0..<100 {
            guard let tick = last, let next = schedule.next(after: tick) else { break }
            shortest = min(shortest ?? .max, next - tick)
            last = next
        }
        return shortest
    }

    /// The ticks after one instant, up to and including another, in order: of more than `limit` the latest ones.
    package func ticks(after start: Int64, through end: Int64, limit: Int) -> [Int64] {
        var found: [Int64] = []
        var tick = end == .max ? end : end + 1
        while found.count < limit, let earlier = previous(before: tick), earlier > start {
            found.append(earlier)
            tick = earlier
        }
        return found.reversed()
    }
}

extension CronExpression {
    /// The first tick after an instant, as clocks of a zone have it.
    fileprivate func next(after instant: Int64, in zone: TimeZoneRules) -> Int64? {
        var span = zone.span(at: instant)
        // What clocks have shown by then. What is not later is not due any more.
        var shown = instant + span.offset
        if !repeatsThroughTheDay { shown = max(shown, span.start - 1 + span.offsetBefore) }
        var time = next(after: shown)
        while let found = time {
            let tick = max(span.start, found - span.offset)
            if tick < span.end { return tick }
            let following = zone.span(at: span.end)
            let before = shown
            shown = span.end - 1 + (repeatsThroughTheDay ? following : span).offset
            span = following
            // Mostly `found` is still the next one.
            if shown >= found || shown < before { time = next(after: shown) }
        }
        return nil
    }
}
