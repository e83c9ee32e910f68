// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Why there are no rules of a time zone.
package struct TimeZoneError: Error, Equatable, Sendable {
    /// A sentence without a full stop.
    package let reason: String

    package init(reason: String) { self.reason = reason }
}

extension TimeZoneRules {
    /// What no clock is ahead of UTC, or behind it.
    private static let largestOffset: Int64 = 26 * 3600

    /// Reads a file of tzdata: TZif of versions 1 to 4 (RFC 9636).
    package init(name: String, file: Bytes) throws(TimeZoneError) {
        var reader = TZifReader(rest: file[...])
        var header = try reader.header()
        if header.version > 1 {
            // The same again with 64 bits, and a footer.
            _ = try reader.take(header.size(ofTimes: 4), "its first part")
            header = try reader.header()
        }
        guard header.leapSeconds == 0 else {
            throw TimeZoneError(reason: "counts leap seconds, as the zones in right/ do; schedules count as POSIX does")
        }
        guard header.types > 0 else { throw TimeZoneError(reason: "has no local time type") }
        let size = header.version > 1 ? 8 : 4
        let times = try reader.take(header.transitions * size, "its transitions")
        let indices = try reader.take(header.transitions, "the types of its transitions")
        let types = try reader.take(header.types * 6, "its local time types")
        _ = try reader.take(header.names + header.standardFlags + header.utFlags, "its names")

        var offsets: [Int64] = []
        for start in stride(from: types.startIndex, to: types.endIndex, by: 6) {
            let offset = TZifReader.number(types[start..<start + 4])
            guard abs(offset) < Self.largestOffset else { throw TimeZoneError(reason: "has an offset of \(offset) s") }
            offsets.append(offset)
        }
        var first = offsets[0]
        var found: [Transition] = []
        var last: Int64?
        for (number, index) in indices.enumerated() {
            let at = TZifReader.number(times.dropFirst(number * size).prefix(size))
            guard last.map({ $0 < at }) ?? true else { throw TimeZoneError(reason: "has transitions out of order") }
            guard Int(index) < offsets.count else {
                throw TimeZoneError(reason: "has a transition to a type that is not there")
            }
            last = at
            // What is before the year 1 is a way to say "always", and nobody will ask for what is after the year 9999.
            if at < Schedule.instants.lowerBound {
                first = offsets[Int(index)]
            } else if at <= Schedule.instants.upperBound {
                found.append(Transition(at: at, offset: offsets[Int(index)]))
            }
        }
        self.init(
            name: name, firstOffset: first, transitions: found,
            yearly: header.version > 1 ? try reader.footer() : nil)
    }
}

/// The parts of a TZif file.
private struct TZifReader {
    var rest: ArraySlice<UInt8>

    struct Header {
        var version: Int
        var utFlags: Int
        var standardFlags: Int
        var leapSeconds: Int
        var transitions: Int
        var types: Int
        var names: Int

        /// Of all that belongs to it, with times of so many bytes.
        func size(ofTimes size: Int) -> Int {
            transitions * (size + 1) + types * 6 + names + leapSeconds * (size + 4) + standardFlags + utFlags
        }
    }

    static func number(_ bytes: ArraySlice<UInt8>) -> Int64 {
        let isNegative = (bytes.first ?? 0) >= 0x80
        return bytes.reduce(isNegative ? -1 : 0) { $0 << 8 | Int64($1) }
    }

    mutating func take(_ count: Int, _ what: String) throws(TimeZoneError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw TimeZoneError(reason: "ends within \(what)") }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    mutating func header() throws(TimeZoneError) -> Header {
        guard rest.starts(with: "TZif".utf8) else {
            throw TimeZoneError(reason: "is no time zone: it has no TZif header")
        }
        let start = try take(20, "its header")
        let version: Int
        switch start[start.startIndex + 4] {
        case 0: version = 1
        case let digit where digit >= UInt8(ascii: "2"): version = Int(digit - UInt8(ascii: "0"))
        default: throw TimeZoneError(reason: "has no version that could be")
        }
        var counts: [Int] = []
        for _ in 0..<6 { counts.append(Int(UInt32(truncatingIfNeeded: Self.number(try take(4, "its header"))))) }
        return Header(
            version: version, utFlags: counts[0], standardFlags: counts[1], leapSeconds: counts[2],
            transitions: counts[3], types: counts[4], names: counts[5])
    }

    /// The rule behind it all, between two ends of lines; nil: it is empty.
    mutating func footer() throws(TimeZoneError) -> YearlyRule? {
        guard rest.first == UInt8(ascii: "\n"), let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "\n")) else {
            throw TimeZoneError(reason: "has no footer")
        }
        let text = rest[rest.startIndex + 1..<end]
        if text.isEmpty { return nil }
        guard let rule = YearlyRule(text) else {
            let shown = String(decoding: text.prefix(60), as: UTF8.self)
            throw TimeZoneError(reason: "has a footer that is no rule: '\(shown)'")
        }
        return rule
    }
}
