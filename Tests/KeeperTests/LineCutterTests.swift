// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Testing

/// Lines from portions of any size.
@Suite struct LineCutterTests {
    private typealias Line = (bytes: Bytes, end: LineCutter.Break)

    private func cut(_ portions: [Bytes]) -> [Line] {
        var cutter = LineCutter()
        var lines: [Line] = []
        for portion in portions {
            portion.withUnsafeBytes { bytes in
                var rest = bytes
                while cutter.next(of: &rest, { lines.append((Bytes($0), $1)) }) != nil {}
                #expect(rest.isEmpty)
            }
        }
        cutter.finish { lines.append((Bytes($0), $1)) }
        return lines
    }

    private func expect(
        _ lines: [Line], _ expected: [(String, LineCutter.Break)], sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            lines.map { String(decoding: $0.bytes, as: UTF8.self) } == expected.map(\.0), sourceLocation: sourceLocation
        )
        #expect(lines.map(\.end) == expected.map(\.1), sourceLocation: sourceLocation)
    }

    @Test func linesComeWholeHoweverTheyArrive() {
        let text = Bytes("one\n\ntwo\nthree".utf8)
        let lines: [(String, LineCutter.Break)] = [
            ("one", .newline), ("", .newline), ("two", .newline), ("three", .end),
        ]
        for size in 1...text.count {
            let portions = stride(from: 0, to: text.count, by: size).map {
                Bytes(text[$0..<min($0 + size, text.count)])
            }
            expect(cut(portions), lines)
        }
        #expect(cut([]).isEmpty)
    }

    @Test func aLineOfTheLimitIsWholeAndALongerOneIsTwo() {
        let full = String(repeating: "x", count: LineCutter.limit)
        expect(cut([Bytes((full + "\n").utf8)]), [(full, .newline)])
        expect(cut([Bytes(full.utf8), Bytes("\n".utf8)]), [(full, .newline)])
        expect(cut([Bytes((full + "y\nz\n").utf8)]), [(full, .full), ("y", .newline), ("z", .newline)])
        expect(cut([Bytes(full.utf8), Bytes("y".utf8)]), [(full, .full), ("y", .end)])
    }

    @Test func noCharacterIsCutInTwo() {
        // Every place that the bound can have in a character of four bytes, in portions of an odd size.
        for shift in 0..<4 {
            let text = String(repeating: "x", count: shift) + String(repeating: "🙂", count: LineCutter.limit / 4 + 9)
            let bytes = Bytes(text.utf8)
            let portions = stride(from: 0, to: bytes.count, by: 16 * 1024 - 1).map {
                Bytes(bytes[$0..<min($0 + 16 * 1024 - 1, bytes.count)])
            }
            let lines = cut(portions)
            #expect(lines.count == 2)
            #expect(lines.allSatisfy { String(validating: $0.bytes, as: UTF8.self) != nil })
            #expect(lines.flatMap(\.bytes) == bytes)
            #expect(lines[0].bytes.count > LineCutter.limit - 4)
        }
    }

    @Test func bytesThatAreNoTextStayAsTheyAre() {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<400_000).map { _ in UInt8.random(in: 0...255, using: &generator) }.map { $0 == 10 ? 0x80 : $0 }
        let lines = cut([bytes])
        #expect(lines.flatMap(\.bytes) == bytes)
        #expect(lines.allSatisfy { $0.bytes.count <= LineCutter.limit })
        #expect(lines.dropLast().allSatisfy { $0.end == .full && $0.bytes.count > LineCutter.limit - 4 })
    }
}
