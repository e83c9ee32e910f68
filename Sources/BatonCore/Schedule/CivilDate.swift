// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A day of the Gregorian calendar, which is taken to have held always.
///
/// The arithmetic counts years from March: then the leap day is the last of its year, and the day on which a month
/// begins is a straight line, 153 days for 5 months.
package struct CivilDate: Equatable, Sendable {
    package var year: Int
    /// 1 to 12.
    package var month: Int
    /// 1 to 31.
    package var day: Int

    static let secondsPerDay: Int64 = 86400
    private static let daysIn400Years = 146_097
    /// From 1 March of the year 0 to 1 January 1970.
    private static let epoch = 719_468

    package init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The day that is so many days after 1 January 1970.
    init(daysSinceEpoch: Int64) {
        let (cycle, dayOfCycle) = (Int(daysSinceEpoch) + Self.epoch).divided(by: Self.daysIn400Years)
        // Without the leap days before it: of every fourth year, but not of the hundredth, but of the four hundredth.
        let plain = dayOfCycle - dayOfCycle / 1460 + dayOfCycle / 36_524 - dayOfCycle / 146_096
        let yearOfCycle = plain / 365
        let dayOfYear = dayOfCycle - (yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100)
        let monthFromMarch = (dayOfYear * 5 + 2) / 153
        day = dayOfYear - (monthFromMarch * 153 + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = cycle * 400 + yearOfCycle + (month <= 2 ? 1 : 0)
    }

    /// Days since 1 January 1970.
    var daysSinceEpoch: Int64 {
        let (cycle, yearOfCycle) = (month <= 2 ? year - 1 : year).divided(by: 400)
        let monthFromMarch = month > 2 ? month - 3 : month + 9
        let dayOfYear = (monthFromMarch * 153 + 2) / 5 + day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        return Int64(cycle * Self.daysIn400Years + dayOfCycle - Self.epoch)
    }

    /// 0 is Sunday. 1 January 1970 was a Thursday.
    var weekday: Int { (Int(daysSinceEpoch) + 4).divided(by: 7).remainder }

    static func isLeap(_ year: Int) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    static func length(ofMonth month: Int, in year: Int) -> Int {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension BinaryInteger {
    /// Rounded down, so that the remainder is never negative: `divisor` is positive.
    func divided(by divisor: Self) -> (quotient: Self, remainder: Self) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
