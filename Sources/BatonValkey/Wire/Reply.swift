// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A reply of the server.
enum Reply: Equatable, Sendable {
    case null
    case integer(Int64)
    /// A simple or a bulk string; they mean the same.
    case string([UInt8])
    case error(String)
    case array([Reply])

    /// The bytes of a string; nil for anything else.
    var bytes: [UInt8]? {
        guard case .string(let bytes) = self else { return nil }
        return bytes
    }

    /// The text of a string, invalid UTF-8 replaced; nil for anything else.
    var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// An integer, or a string that holds one: scripts return large numbers as text, so that no digit is lost.
    var number: Int64? {
        if case .integer(let value) = self { return value }
        return text.flatMap { Int64($0) }
    }

    /// The answer to TIME, in microseconds; nil for anything else.
    var time: Int64? {
        guard
            let parts = elements, parts.count == 2, let seconds = parts[0].number, let microseconds = parts[1].number,
            (0..<1 << 40).contains(seconds), (0..<1_000_000).contains(microseconds)
        else { return nil }
        return seconds * 1_000_000 + microseconds
    }

    /// The elements of an array; nil for anything else.
    var elements: [Reply]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }
}
