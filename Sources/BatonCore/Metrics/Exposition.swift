// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Metrics in the text format of Prometheus (version 0.0.4), as they are written: family after family, and the samples of
/// each behind its head.
package struct Exposition: Equatable, Sendable {
    package enum Kind: String, Equatable, Sendable {
        case counter, gauge, histogram, summary
    }

    /// The page so far.
    package private(set) var bytes: Bytes = []
    private var family = ""

    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// An empty page.
    package init() {}

    /// The samples that follow are of this family.
    package mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        family = name
        bytes += "# HELP ".utf8
        bytes += name.utf8
        bytes.append(UInt8(ascii: " "))
        write(help, quoted: false)
        bytes += "\n# TYPE ".utf8
        bytes += name.utf8
        bytes.append(UInt8(ascii: " "))
        bytes += kind.rawValue.utf8
        bytes.append(UInt8(ascii: "\n"))
    }

    /// A sample without labels.
    package mutating func sample(_ value: Double, suffix: String = "") { sample([], suffix: suffix, value) }

    /// - Parameter suffix: what the name of the family has behind it, as `_sum`.
    package mutating func sample(_ labels: [(name: String, value: String)], suffix: String = "", _ value: Double) {
        bytes += family.utf8
        bytes += suffix.utf8
        if !labels.isEmpty {
            var separator = UInt8(ascii: "{")
            for label in labels {
                bytes.append(separator)
                bytes += label.name.utf8
                bytes += "=\"".utf8
                write(label.value, quoted: true)
                bytes.append(UInt8(ascii: "\""))
                separator = UInt8(ascii: ",")
            }
            bytes.append(UInt8(ascii: "}"))
        }
        bytes.append(UInt8(ascii: " "))
        bytes += Self.text(value).utf8
        bytes.append(UInt8(ascii: "\n"))
    }

    /// The samples of a histogram: each bucket has what the ones before it have as well.
    package mutating func samples(_ histogram: Histogram, _ labels: [(name: String, value: String)] = []) {
        var count: UInt64 = 0
        for (bound, inBucket) in zip(histogram.bounds + [.infinity], histogram.counts) {
            count += inBucket
            sample(labels + [("le", Self.text(bound))], suffix: "_bucket", Double(count))
        }
        sample(labels, suffix: "_sum", histogram.sum)
        sample(labels, suffix: "_count", Double(count))
    }

    private mutating func write(_ text: String, quoted: Bool) {
        let isPlain = text.utf8.allSatisfy {
            $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\"")
        }
        if isPlain {
            bytes += text.utf8
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes += "\\\\".utf8
            case UInt8(ascii: "\n"): bytes += "\\n".utf8
            case UInt8(ascii: "\"") where quoted: bytes += "\\\"".utf8
            default: bytes.append(byte)
            }
        }
    }

    /// A number as Prometheus reads it.
    static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        // Beyond that, doubles are no longer exact. (Int64(exactly:) would need the library of mathematics.)
        if abs(value) <= 0x1p53, Double(Int64(value)) == value { return String(Int64(value)) }
        return "\(value)"
    }
}
