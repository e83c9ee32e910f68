// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension YearlyRule {
    /// Reads `STANDARD OFFSET [SUMMER [OFFSET] , START[/TIME] , END[/TIME]]`, all without spaces; nil: it is none.
    ///
    /// As in files of version 3 and later, times may be negative and go beyond a day.
    init?(_ text: some Sequence<UInt8>) {
        var reader = Reader(rest: Array(text)[...])
        guard reader.skipName(), let west = reader.offset() else { return nil }
        standard = -west
        if reader.rest.isEmpty { return }
        guard reader.skipName() else { return nil }
        var offset = standard + 3600
        if reader.next != UInt8(ascii: ",") {
            guard let west = reader.offset() else { return nil }
            offset = -west
        }
        guard reader.skip(","), let start = reader.change(), reader.skip(","), let end = reader.change(),
            reader.rest.isEmpty
        else { return nil }
        summer = Summer(offset: offset, start: start, end: end)
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        var next: UInt8? { rest.first }

        mutating func skip(_ character: Unicode.Scalar) -> Bool {
            guard next == UInt8(ascii: character) else { return false }
            rest = rest.dropFirst()
            return true
        }

        /// `CET`, or `<+0330>`.
        mutating func skipName() -> Bool {
            let isQuoted = skip("<")
            let name = rest.prefix { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"): isQuoted
                default: false
                }
            }
            rest = rest.dropFirst(name.count)
            return name.count >= 3 && (!isQuoted || skip(">"))
        }

        mutating func number(upTo largest: Int64) -> Int64? {
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(digits.count)
            guard (1...3).contains(digits.count) else { return nil }
            let number = digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
            return number <= largest ? number : nil
        }

        /// `[+-]HH[:MM[:SS]]`, in seconds.
        mutating func time(hours most: Int64) -> Int64? {
            let isNegative = skip("-")
            if !isNegative { _ = skip("+") }
            guard var seconds = number(upTo: most) else { return nil }
            seconds *= 3600
            for unit: Int64 in [60, 1] where skip(":") {
                guard let part = number(upTo: 59) else { return nil }
                seconds += part * unit
            }
            return isNegative ? -seconds : seconds
        }

        /// What clocks are behind UTC.
        mutating func offset() -> Int64? { time(hours: 24) }

        mutating func change() -> Change? {
            guard let day = day() else { return nil }
            if !skip("/") { return Change(day: day, time: 7200) }
            guard let time = time(hours: 167) else { return nil }
            return Change(day: day, time: time)
        }

        mutating func day() -> Day? {
            if skip("J") {
                guard let number = number(upTo: 365), number >= 1 else { return nil }
                return .withoutLeapDay(Int(number))
            }
            if !skip("M") { return number(upTo: 365).map { .withLeapDay(Int($0)) } }
            guard let month = number(upTo: 12), month >= 1, skip("."), let week = number(upTo: 5), week >= 1, skip("."),
                let weekday = number(upTo: 6)
            else { return nil }
            return .weekday(month: Int(month), week: Int(week), weekday: Int(weekday))
        }
    }
}
