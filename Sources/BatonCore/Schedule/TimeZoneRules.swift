// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// When the clocks of a time zone are, or were, or will be changed, and by how much.
///
/// Made of what the system's tzdata says (`TimeZoneRules+reading.swift`). Abbreviations and what counts as daylight
/// saving are of no interest here: only what the clocks show.
package struct TimeZoneRules: Equatable, Sendable {
    /// As the job's file has it: `Europe/Berlin`.
    package let name: String
    /// Before the first transition, in seconds ahead of UTC.
    let firstOffset: Int64
    /// In order, none at the same instant as another.
    let transitions: [Transition]
    /// What holds from the last transition on; nil: nothing changes any more.
    let yearly: YearlyRule?

    /// From `at` on, clocks are `offset` seconds ahead of UTC.
    struct Transition: Equatable, Sendable {
        var at: Int64
        var offset: Int64
    }

    /// A time in which no clock is changed.
    struct Span: Equatable, Sendable {
        /// The first instant.
        var start: Int64
        /// The first instant that is later.
        var end: Int64
        /// What to add to an instant to have what clocks show.
        var offset: Int64
        /// What it was just before `start`.
        var offsetBefore: Int64
    }

    /// So far from now that a day more or less overflows nothing.
    static let beginning = Int64.min / 4
    static let end = Int64.max / 4

    /// UTC, which needs no tzdata.
    package static let utc = TimeZoneRules(name: "UTC", firstOffset: 0, transitions: [], yearly: nil)

    /// What clocks are ahead of UTC at an instant, in seconds.
    package func offset(at instant: Int64) -> Int64 { span(at: instant).offset }

    /// The time around an instant in which no clock is changed.
    func span(at instant: Int64) -> Span {
        let instant = min(max(instant, Self.beginning), Self.end)
        // How many transitions there have been by then.
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at <= instant { low = middle + 1 } else { high = middle }
        }
        func offset(after count: Int) -> Int64 { count <= 0 ? firstOffset : transitions[count - 1].offset }
        var span = Span(
            start: low == 0 ? Self.beginning : transitions[low - 1].at,
            end: low == transitions.count ? Self.end : transitions[low].at,
            offset: offset(after: low), offsetBefore: offset(after: low - 1))
        if low == transitions.count, let yearly {
            let (opening, before) = (span.start, span.offsetBefore)
            span = yearly.span(at: instant)
            if span.start <= opening { (span.start, span.offsetBefore) = (opening, before) }
        }
        return span
    }

    /// Why a zone cannot be called so; nil when it can.
    ///
    /// A name is a path below the folder of tzdata, and must not lead out of it.
    package static func problem(ofName name: String) -> String? {
        if name == "localtime" { return "'localtime' is each machine's own; the nodes of a fleet need the same zone" }
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "/"):
                true
            default: false
            }
        }
        if isPlain, name.utf8.count <= 100, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) { return nil }
        return "'\(name.prefix(100))' is no time zone's name; wanted one as Europe/Berlin or UTC"
    }
}
