// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// What a workload prints.
extension FuzzTarget {
    /// The first byte: in portions of how many bytes the others arrive.
    func fuzzOutput(_ input: Bytes) throws {
        let bytes = Bytes(input.dropFirst())
        let whole = cut(bytes, portions: max(bytes.count, 1))
        let portion = 1 + Int(input.first ?? 0)
        try require(whole == cut(bytes, portions: portion), "other lines in portions of \(portion) bytes")
        let lines = whole.map { $0.text + ($0.end == .newline ? [UInt8(ascii: "\n")] : []) }
        try require(Bytes(lines.joined()) == bytes, "the lines are not what came")
        try require(whole.allSatisfy { $0.text.count <= LineCutter.limit }, "a line is too long")

        let shown = PrintableText.escaped(bytes)
        try require(PrintableText.escaped(shown) == shown, "escaped, and still not printable")
        try require(!shown.unicodeScalars.contains { $0.value < 0x20 }, "a control character is printed")
        for count in [0, 1, 2, 1000] {
            let last = bytes.lastLines(count)
            try require(last.count <= bytes.count && bytes.suffix(last.count).elementsEqual(last), "not the last lines")
        }
        var entry = JournalEntry()
        entry.put("MESSAGE", shown, limit: portion)
        try require(entry.bytes.count <= portion + 32, "a field that was to be cut is long")
    }

    private struct Line: Equatable {
        var text: Bytes
        var end: LineCutter.Break
    }

    private func cut(_ bytes: Bytes, portions: Int) -> [Line] {
        var cutter = LineCutter()
        var lines: [Line] = []
        for start in stride(from: 0, to: bytes.count, by: portions) {
            bytes[start..<min(start + portions, bytes.count)].withUnsafeBytes { part in
                var rest = part
                while let line = cutter.next(of: &rest, { Line(text: Bytes($0), end: $1) }) { lines.append(line) }
            }
        }
        cutter.finish { lines.append(Line(text: Bytes($0), end: $1)) }
        return lines
    }
}
