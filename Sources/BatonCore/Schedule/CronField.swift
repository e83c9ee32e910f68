// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One field of a cron expression, in the order in which they stand.
package enum CronField: String, CaseIterable, Sendable {
    case second
    case minute
    case hour
    case dayOfMonth = "day of month"
    case month
    case dayOfWeek = "day of week"

    /// The numbers that the field counts through. (Sunday may be written 7 as well.)
    var range: ClosedRange<Int> {
        switch self {
        case .second, .minute: 0...59
        case .hour: 0...23
        case .dayOfMonth: 1...31
        case .month: 1...12
        case .dayOfWeek: 0...6
        }
    }

    /// The names that may be written for the numbers, from the first one on.
    var names: [String] {
        switch self {
        case .second, .minute, .hour, .dayOfMonth: []
        case .month: ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
        case .dayOfWeek: ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]
        }
    }

    /// The largest number that may be written.
    var largest: Int { self == .dayOfWeek ? 7 : range.upperBound }

    /// What `H` chooses from: of the days of a month those that every month has.
    var hashed: ClosedRange<Int> { self == .dayOfMonth ? 1...28 : range }

    /// What may be written, for messages.
    var allowed: String {
        switch self {
        case .second, .minute, .hour, .dayOfMonth: "\(range.lowerBound) to \(largest)"
        case .month: "1 to 12 or JAN to DEC"
        case .dayOfWeek: "0 to 7 (0 and 7 are Sunday) or SUN to SAT"
        }
    }
}
