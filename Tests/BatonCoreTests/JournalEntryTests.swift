// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// The journal's native protocol.
@Suite struct JournalEntryTests {
    private func entry(_ fields: (String, String)...) -> String {
        var entry = JournalEntry()
        for (name, value) in fields { entry.put(name, value) }
        return String(decoding: entry.bytes, as: UTF8.self)
    }

    @Test func aValueOfOneLineIsALine() {
        #expect(entry(("A", "b"), ("C_D", ""), ("E", "f=g")) == "A=b\nC_D=\nE=f=g\n")
    }

    @Test func aValueOfSeveralLinesHasItsLength() {
        #expect(entry(("A", "b\nPRIORITY=0\n"), ("C", "d")) == "A\n\u{d}\0\0\0\0\0\0\0b\nPRIORITY=0\n\nC=d\n")
        var long = JournalEntry()
        long.put("A", Bytes(repeating: 10, count: 0x01_02_03))
        #expect(Array(long.bytes.prefix(10)) == [65, 10, 3, 2, 1, 0, 0, 0, 0, 0])
        #expect(long.bytes.count == 2 + 8 + 0x01_02_03 + 1)
    }

    @Test func aLongTextIsCutBetweenCharacters() {
        for (limit, expected) in [(4, "abcd"), (3, "abc…"), (0, "…")] {
            var entry = JournalEntry()
            entry.put("A", "abcd", limit: limit)
            #expect(String(decoding: entry.bytes, as: UTF8.self) == "A=\(expected)\n")
        }
        for limit in 1...3 {
            var entry = JournalEntry()
            entry.put("A", "x🙂", limit: limit)
            #expect(String(decoding: entry.bytes, as: UTF8.self) == "A=x…\n")
        }
    }

    @Test(arguments: [
        ("job", "BATON_JOB"), ("run", "BATON_RUN_ID"), ("lost_grace", "BATON_LOST_GRACE"),
        ("Two Words", "BATON_TWO_WORDS"),
        ("é", "BATON___"), (String(repeating: "x", count: 99), "BATON_" + String(repeating: "X", count: 58)),
    ])
    func metadataBecomeFieldsThatTheJournalTakes(_ key: String, _ name: String) {
        #expect(JournalEntry.fieldName(of: key) == name)
    }
}
