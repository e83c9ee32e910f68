// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Durations as people write them: `"1m30s"`, `"2.5s"`.
package enum DurationText {
    /// Why a text is not a duration.
    package struct Failure: Error, Equatable {
        package let reason: String
    }

    private static let nanoseconds: [String: Int64] = [
        "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "h": 3_600_000_000_000, "d": 86_400_000_000_000,
    ]
    /// A hundred years: far from every overflow.
    private static let longest: Int64 = 36525 * 86_400_000_000_000

    /// Numbers, each with a unit: `ms`, `s`, `m`, `h`, `d`. Decimals are allowed.
    package static func parse(_ text: String) throws(Failure) -> Duration {
        if text.isEmpty { throw Failure(reason: "is empty; wanted a duration such as \"30s\"") }
        if text.contains(where: \.isWhitespace) {
            throw Failure(reason: "\"\(text)\" has a space in it; write it without, as \"1m30s\"")
        }
        var rest = Substring(text)
        var total: Int64 = 0
        while let first = rest.first {
            if first == "-" { throw Failure(reason: "\"\(text)\" is negative") }
            let number = rest.prefix { ("0"..."9").contains($0) || $0 == "." }
            if number.isEmpty {
                throw Failure(
                    reason: "\"\(text)\" is not a duration; wanted numbers with units (ms s m h d), as \"1m30s\"")
            }
            rest = rest.dropFirst(number.count)
            let unit = rest.prefix { $0.isLetter }
            rest = rest.dropFirst(unit.count)
            if unit.isEmpty {
                throw Failure(reason: "\"\(text)\" lacks a unit after \(number); wanted one of ms s m h d")
            }
            guard let scale = nanoseconds[String(unit)] else {
                throw Failure(reason: "\"\(text)\" has the unknown unit \"\(unit)\"; wanted one of ms s m h d")
            }
            guard let part = scaled(number, by: scale) else {
                throw Failure(reason: "\"\(text)\" has a malformed number, \"\(number)\"")
            }
            let (sum, overflow) = total.addingReportingOverflow(part)
            if overflow || sum > longest { throw Failure(reason: "\"\(text)\" is too long: more than 100 years") }
            total = sum
        }
        return .nanoseconds(total)
    }

    /// `number` × `scale`; past the end of the numbers it stays there. Nil when it is no number.
    private static func scaled(_ number: Substring, by scale: Int64) -> Int64? {
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = parts.first, !parts.contains(where: \.isEmpty) else { return nil }
        guard let units = Int64(whole) else { return .max }
        let (product, overflow) = units.multipliedReportingOverflow(by: scale)
        if overflow { return .max }
        guard parts.count == 2 else { return product }
        // 15 digits are finer than a nanosecond for every unit.
        guard let fraction = Double("0." + parts[1].prefix(15)) else { return nil }
        let (sum, overflow2) = product.addingReportingOverflow(Int64((fraction * Double(scale)).rounded()))
        return overflow2 ? .max : sum
    }

    /// The duration as one would write it: `1m30s`, `402ms`; rounded to milliseconds.
    package static func describe(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        if milliseconds == 0 { return "0s" }
        var result = milliseconds < 0 ? "-" : ""
        milliseconds = abs(milliseconds)
        for (unit, size) in [("d", Int64(86_400_000)), ("h", 3_600_000), ("m", 60_000)] where milliseconds >= size {
            result += "\(milliseconds / size)\(unit)"
            milliseconds %= size
        }
        if milliseconds == 0 { return result }
        if milliseconds < 1000 { return result + "\(milliseconds)ms" }
        let fraction = milliseconds % 1000
        if fraction == 0 { return result + "\(milliseconds / 1000)s" }
        var digits = String(fraction + 1000).dropFirst()
        while digits.last == "0" { digits = digits.dropLast() }
        return result + "\(milliseconds / 1000).\(digits)s"
    }
}
