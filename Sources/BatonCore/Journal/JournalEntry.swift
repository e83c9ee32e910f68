// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// An entry for the journal in its native protocol: fields, each a name and bytes.
///
/// A field is `NAME=value` and a line's end. A value that has line ends itself is sent with its length instead, so any
/// bytes can be a value, and none can be taken for another field.
package struct JournalEntry: Equatable, Sendable {
    /// The datagram.
    package private(set) var bytes: Bytes = []

    /// An entry without fields.
    package init() {}

    /// A field of any bytes. The name is one of ours, or made by `fieldName`.
    package mutating func put(_ name: String, _ value: some Collection<UInt8>) {
        bytes += name.utf8
        if value.contains(Self.newline) {
            bytes.append(Self.newline)
            let count = UInt64(value.count)
            for shift in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        } else {
            bytes.append(UInt8(ascii: "="))
        }
        bytes += value
        bytes.append(Self.newline)
    }

    /// A field of text. One that is longer than `limit` bytes is cut, and ends in `…`.
    package mutating func put(_ name: String, _ text: String, limit: Int = .max) {
        if text.utf8.count <= limit { return put(name, text.utf8) }
        let start = text.utf8.startIndex
        // Where the bound is inside a character, before that character.
        var end = text.utf8.index(start, offsetBy: limit)
        while end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
        put(name, Bytes(text.utf8[..<end]) + Bytes("…".utf8))
    }

    /// The field that a log's metadata go into: `job` is `BATON_JOB`, `lost_grace` is `BATON_LOST_GRACE`.
    ///
    /// The journal takes capitals, digits and `_` only, no more than 64 of them; everything else becomes `_`.
    package static func fieldName(of key: String) -> String {
        if key == "run" { return "BATON_RUN_ID" }
        var name = Bytes("BATON_".utf8)
        for byte in key.utf8.prefix(58) {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"): name.append(byte - 32)
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"): name.append(byte)
            default: name.append(UInt8(ascii: "_"))
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    private static let newline = UInt8(ascii: "\n")
}
