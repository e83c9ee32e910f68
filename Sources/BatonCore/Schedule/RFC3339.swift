// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Instants as RFC 3339 writes them, to the second.
package enum RFC3339 {
    /// `2026-11-27T01:00:00Z`.
    package static func text(of instant: Int64) -> String { text(of: instant, offset: 0) + "Z" }

    /// What the clocks of a zone show, and how far they are ahead: `2026-11-27T02:00:00+01:00`.
    package static func text(of instant: Int64, in zone: TimeZoneRules) -> String {
        let offset = zone.offset(at: instant)
        // No zone of today has seconds in its offset; those of long ago are cut off.
        return text(of: instant, offset: offset) + (offset < 0 ? "-" : "+") + two(abs(offset) / 3600) + ":"
            + two(abs(offset) / 60 % 60)
    }

    private static func text(of instant: Int64, offset: Int64) -> String {
        let instant = min(max(instant, Schedule.instants.lowerBound), Schedule.instants.upperBound)
        let (day, second) = (instant + offset).divided(by: CivilDate.secondsPerDay)
        let date = CivilDate(daysSinceEpoch: day)
        let year = String(date.year)
        return String(repeating: "0", count: max(0, 4 - year.count)) + year + "-" + two(Int64(date.month)) + "-"
            + two(Int64(date.day)) + "T" + two(second / 3600) + ":" + two(second / 60 % 60) + ":" + two(second % 60)
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
