// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not what they should be. Such bytes are refused whole; nothing of them is used.
package enum WireError: Error, Equatable, Sendable {
    /// They end too early.
    case truncated
    /// They go on after the end.
    case trailing
    /// They were written by another version of the format.
    case version(UInt8)
    /// A field has a value that it can't have.
    case invalid
}

/// Writes the fields of a wire format one after the other: fixed width, little endian, strings with their length first.
struct WireWriter {
    private(set) var bytes: Bytes

    /// A format's first field is its version.
    init(version: UInt8) { bytes = [version] }

    mutating func put<Value: FixedWidthInteger>(_ value: Value) {
        for shift in stride(from: 0, to: Value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
        }
    }

    mutating func put(_ value: Bool) { put(UInt8(value ? 1 : 0)) }

    mutating func put(_ value: Instant) { put(value.nanoseconds) }

    mutating func put(_ value: Duration) { put(value.nanoseconds) }

    mutating func put(_ value: Bytes) {
        put(UInt32(clamping: value.count))
        bytes += value
    }

    mutating func put(_ value: String) { put(Bytes(value.utf8)) }

    mutating func put(_ values: [String]) {
        put(UInt32(clamping: values.count))
        for value in values { put(value) }
    }

    /// A field that may be absent: one byte says whether it follows.
    mutating func put<Value>(_ value: Value?, _ write: (inout WireWriter, Value) -> Void) {
        put(value != nil)
        if let value { write(&self, value) }
    }
}

/// Reads what `WireWriter` wrote. Every length is checked against what is there before anything is allocated.
struct WireReader {
    private let bytes: Bytes
    private var position = 0

    init(_ bytes: Bytes, version: UInt8) throws(WireError) {
        self.bytes = bytes
        let found = try take(UInt8.self)
        if found != version { throw .version(found) }
    }

    mutating func take<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) throws(WireError) -> Value {
        let width = Value.bitWidth / 8
        guard bytes.count - position >= width else { throw .truncated }
        var value: Value = 0
        for index in 0..<width {
            value |= Value(truncatingIfNeeded: bytes[position + index]) << Value(index * 8)
        }
        position += width
        return value
    }

    mutating func takeBool() throws(WireError) -> Bool {
        switch try take(UInt8.self) {
        case 0: return false
        case 1: return true
        case _: throw .invalid
        }
    }

    mutating func takeInstant() throws(WireError) -> Instant { Instant(nanoseconds: try take()) }

    mutating func takeDuration() throws(WireError) -> Duration { .nanoseconds(try take(Int64.self)) }

    mutating func takeBytes() throws(WireError) -> Bytes {
        let count = Int(try take(UInt32.self))
        guard bytes.count - position >= count else { throw .truncated }
        defer { position += count }
        return Bytes(bytes[position..<position + count])
    }

    /// A string for the kernel: a zero byte inside it would silently cut it short there, so it is refused.
    mutating func takeString() throws(WireError) -> String {
        let raw = try takeBytes()
        if raw.contains(0) { throw .invalid }
        return String(decoding: raw, as: UTF8.self)
    }

    /// A list of strings, each at least its length field long.
    mutating func takeStrings() throws(WireError) -> [String] {
        let count = Int(try take(UInt32.self))
        guard count <= (bytes.count - position) / 4 else { throw .truncated }
        var strings: [String] = []
        strings.reserveCapacity(count)
        for _ in 0..<count { strings.append(try takeString()) }
        return strings
    }

    mutating func takeOptional<Value>(
        _ read: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) -> Value? {
        try takeBool() ? try read(&self) : nil
    }

    /// Everything was read: what follows would be a field that this version does not know.
    func finish() throws(WireError) {
        if position != bytes.count { throw .trailing }
    }
}
