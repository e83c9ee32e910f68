// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

@Suite struct CivilDateTests {
    @Test(arguments: [
        (1970, 1, 1, 0, 4), (1969, 12, 31, -1, 3), (2000, 2, 29, 11016, 2), (2000, 3, 1, 11017, 3),
        (1900, 2, 28, -25509, 3), (1900, 3, 1, -25508, 4), (1, 1, 1, -719_162, 1), (9999, 12, 31, 2_932_896, 5),
        (2026, 11, 26, 20783, 4),
    ])
    func knownDays(year: Int, month: Int, day: Int, number: Int64, weekday: Int) {
        let date = CivilDate(year: year, month: month, day: day)
        #expect(date.daysSinceEpoch == number)
        #expect(CivilDate(daysSinceEpoch: number) == date)
        #expect(date.weekday == weekday)
    }

    /// Against counting: every day of 2,000 years.
    @Test func everyDayFollowsTheOneBefore() {
        var date = CivilDate(year: 599, month: 12, day: 31)
        let first = date.daysSinceEpoch
        var (wrong, weekday) = (0, date.weekday)
        for number in 1...730_500 as ClosedRange<Int64> {
            if date.day < CivilDate.length(ofMonth: date.month, in: date.year) {
                date.day += 1
            } else if date.month < 12 {
                (date.month, date.day) = (date.month + 1, 1)
            } else {
                (date.year, date.month, date.day) = (date.year + 1, 1, 1)
            }
            weekday = (weekday + 1) % 7
            if date.daysSinceEpoch != first + number || CivilDate(daysSinceEpoch: first + number) != date
                || date.weekday != weekday
            {
                wrong += 1
            }
        }
        #expect(wrong == 0)
        #expect(date.year == 2600)
    }
}
