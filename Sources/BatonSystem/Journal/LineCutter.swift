// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// Cuts a stream of bytes, which comes in any portions, into lines. Whatever comes, it keeps no more than one line.
package struct LineCutter {
    /// Why a line ends where it does.
    package enum Break: Equatable, Sendable {
        case newline
        /// It is longer than `limit`; the next line is the rest of it.
        case full
        /// The stream ended.
        case end
    }

    /// A longer line becomes several: as systemd does it with the output of its services.
    package static let limit = 48 << 10

    private var begun: Bytes = []

    /// A cutter at the beginning of a stream.
    package init() {}

    /// Takes what there is of the next line from the front of `input`; hands the line to `body` if it is complete.
    ///
    /// - Returns: what `body` returns; nil: there is no further line yet, and `input` is empty now.
    package mutating func next<Result>(
        of input: inout UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, Break) -> Result
    ) -> Result? {
        let room = Self.limit - begun.count
        // A line of exactly the limit is whole, if its end follows.
        if let end = Self.newline(in: UnsafeRawBufferPointer(rebasing: input.prefix(room + 1))) {
            defer { input = UnsafeRawBufferPointer(rebasing: input[(end + 1)...]) }
            let part = UnsafeRawBufferPointer(rebasing: input[..<end])
            if begun.isEmpty { return body(part, .newline) }
            begun += part
            defer { begun.removeAll(keepingCapacity: true) }
            return begun.withUnsafeBytes { body($0, .newline) }
        }
        begun += input.prefix(room)
        if input.count <= room {
            input = UnsafeRawBufferPointer(start: nil, count: 0)
            return nil
        }
        let end = Self.end(of: begun, before: input[room])
        input = UnsafeRawBufferPointer(rebasing: input[room...])
        defer { begun.removeFirst(end) }
        return begun.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<end]), .full) }
    }

    /// The stream is over: its last line, if that has no end of its own.
    package mutating func finish(_ body: (UnsafeRawBufferPointer, Break) -> Void) {
        if begun.isEmpty { return }
        begun.withUnsafeBytes { body($0, .end) }
        begun = []
    }

    private static func newline(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let start = bytes.baseAddress, let found = memchr(start, 10, bytes.count) else { return nil }
        return UnsafeRawPointer(found) - start
    }

    /// Where to cut bytes that are followed by `next`: not inside a character of UTF-8, or both lines would be no text.
    private static func end(of bytes: Bytes, before next: UInt8) -> Int {
        if next & 0xc0 != 0x80 { return bytes.count }
        for back in 1...3 where back < bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0xc0 { return bytes.count - back }
            if byte & 0xc0 != 0x80 { break }
        }
        return bytes.count
    }
}
