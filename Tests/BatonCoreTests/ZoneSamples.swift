// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonCore

/// Zones as tzdata has them, written down here: the pure tests read no files.
extension TimeZoneRules {
    /// A zone that goes by one rule for ever.
    static func always(_ rule: String) -> TimeZoneRules {
        guard let yearly = YearlyRule(rule.utf8) else { fatalError("\(rule) is no rule") }
        return TimeZoneRules(name: rule, firstOffset: yearly.standard, transitions: [], yearly: yearly)
    }

    static let berlin = always("CET-1CEST,M3.5.0,M10.5.0/3")
    static let newYork = always("EST5EDT,M3.2.0,M11.1.0")
    /// Daylight saving is half an hour.
    static let lordHowe = always("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")
    static let chatham = always("<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45")
    /// The hour before and after midnight: days without their beginning, and with two ends.
    static let santiago = always("<-04>4<-03>,M9.1.6/24,M4.1.6/24")
    /// Winter time is the exception.
    static let dublin = always("IST-1GMT0,M10.5.0,M3.5.0/1")
    static let kolkata = always("IST-5:30")
    /// Two hours.
    static let troll = always("<+00>0<+02>-2,M3.5.0/1,M10.5.0/3")
    /// Without 30 December 2011.
    static let apia = TimeZoneRules(
        name: "Apia", firstOffset: -36000, transitions: [Transition(at: 1_325_239_200, offset: 50400)], yearly: nil)
}

/// Reads and writes instants as people do: `2026-03-29 03:00:00 +2`.
enum Moment {
    /// The instant of a UTC time, as `2026-03-29 01:00` or with seconds.
    static func at(_ text: String) -> Int64 {
        let numbers = text.split { "- :".contains($0) }.compactMap { Int64($0) }
        let date = CivilDate(year: Int(numbers[0]), month: Int(numbers[1]), day: Int(numbers[2]))
        let time = numbers[3] * 3600 + numbers[4] * 60 + (numbers.count > 5 ? numbers[5] : 0)
        return date.daysSinceEpoch * 86400 + time
    }

    /// What clocks of a zone show, and how far they are ahead of UTC.
    static func text(_ instant: Int64, in zone: TimeZoneRules) -> String {
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let offset = zone.offset(at: instant)
        let (day, second) = (instant + offset).divided(by: 86400)
        let date = CivilDate(daysSinceEpoch: day)
        let seconds = second % 60 == 0 ? "" : ":" + two(second % 60)
        let ahead =
            "\(offset < 0 ? "-" : "+")\(abs(offset) / 3600)"
            + (offset % 3600 == 0 ? "" : ":" + two(abs(offset) / 60 % 60))
        return
            "\(date.year)-\(two(Int64(date.month)))-\(two(Int64(date.day))) \(two(second / 3600)):\(two(second / 60 % 60))\(seconds) \(ahead)"
    }
}
