// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// On which line each key of a TOML text stands.
///
/// The parser does not say. This is no parser: it knows headers, keys at the beginning of a line, and where strings
/// and arrays go on over several lines; a key within an inline table is found at the line of that table.
struct KeyLines: Sendable {
    private var lines: [[String]: Int] = [:]

    /// No key of ours has more parts. What is below is found at the line of what is above it.
    private static let deepest = 8

    init(_ text: String) {
        var table: [String] = []
        var scanner = ValueScanner()
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let bytes = Array(line.utf8)
            if scanner.isInsideValue {
                scanner.scan(bytes[...])
                continue
            }
            var key = KeyScanner(bytes)
            key.skipSpaces()
            let brackets = key.skip(UInt8(ascii: "["))
            guard let parts = key.parts() else { continue }
            if brackets > 0 {
                table = parts
                note(table, index + 1)
            } else if key.skip(UInt8(ascii: "=")) == 1 {
                note(table + parts, index + 1)
                scanner.scan(key.rest)
            }
        }
    }

    /// The key's line, or that of the table it stands in.
    func line(of key: [String]) -> Int? {
        var key = key.prefix(Self.deepest)
        while !key.isEmpty {
            if let line = lines[Array(key)] { return line }
            key.removeLast()
        }
        return nil
    }

    private mutating func note(_ key: [String], _ line: Int) {
        for length in 1...min(key.count, Self.deepest) where lines[Array(key[..<length])] == nil {
            lines[Array(key[..<length])] = line
        }
        if key.count <= Self.deepest { lines[key] = line }
    }
}

/// Reads `a."b c".d` from the beginning of a line.
private struct KeyScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var rest: ArraySlice<UInt8> { bytes[position...] }

    mutating func skipSpaces() {
        while position < bytes.count, bytes[position] == 0x20 || bytes[position] == 0x09 { position += 1 }
    }

    mutating func skip(_ byte: UInt8) -> Int {
        let start = position
        while position < bytes.count, bytes[position] == byte { position += 1 }
        return position - start
    }

    mutating func parts() -> [String]? {
        var result: [String] = []
        repeat {
            skipSpaces()
            guard let part = part() else { return nil }
            result.append(part)
            skipSpaces()
        } while skip(UInt8(ascii: ".")) == 1
        return result
    }

    private mutating func part() -> String? {
        guard position < bytes.count else { return nil }
        let quote = bytes[position]
        if quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
            guard let end = bytes[(position + 1)...].firstIndex(of: quote) else { return nil }
            defer { position = end + 1 }
            return String(decoding: bytes[(position + 1)..<end], as: UTF8.self)
        }
        let start = position
        while position < bytes.count, isBare(bytes[position]) { position += 1 }
        return position > start ? String(decoding: bytes[start..<position], as: UTF8.self) : nil
    }

    private func isBare(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            return true
        default: return false
        }
    }
}

/// Knows whether a value goes on on the next line.
private struct ValueScanner {
    private var depth = 0
    /// The quotes that end a multi-line string.
    private var ending: [UInt8]?

    var isInsideValue: Bool { depth > 0 || ending != nil }

    mutating func scan(_ bytes: ArraySlice<UInt8>) {
        var position = bytes.startIndex
        while position < bytes.endIndex {
            let rest = bytes[position...]
            if let ending {
                if ending[0] == UInt8(ascii: "\""), rest.first == UInt8(ascii: "\\") {
                    position += 2
                } else if rest.starts(with: ending) {
                    position += 3
                    self.ending = nil
                } else {
                    position += 1
                }
                continue
            }
            switch bytes[position] {
            case UInt8(ascii: "#"): return
            case UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "]"): depth = max(0, depth - 1)
            case let quote where quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"):
                let triple = [quote, quote, quote]
                if rest.starts(with: triple) {
                    ending = triple
                    position += 2
                } else {
                    position = endOfString(bytes, from: position + 1, quote)
                }
            default: break
            }
            position += 1
        }
    }

    private func endOfString(_ bytes: ArraySlice<UInt8>, from start: Int, _ quote: UInt8) -> Int {
        var position = start
        while position < bytes.endIndex, bytes[position] != quote {
            position += bytes[position] == UInt8(ascii: "\\") && quote == UInt8(ascii: "\"") ? 2 : 1
        }
        return position
    }
}
