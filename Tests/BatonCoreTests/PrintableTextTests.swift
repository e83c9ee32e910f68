// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

@Suite struct PrintableTextTests {
    @Test(arguments: [
        ("plain, grüße, 日本, 👩‍💻", "plain, grüße, 日本, 👩‍💻"),
        ("\u{1b}[0m", "\\x1b[0m"),
        ("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\x00"),
        ("\u{7f}\u{9b}0m", "\\x7f\\x9b0m"),
        ("\u{202e}cod\u{2028}", "\\u{202e}cod\\u{2028}"),
        ("C:\\n", "C:\\n"),
    ])
    func controlCharactersAreShown(_ text: String, _ shown: String) {
        #expect(PrintableText.escaped(text) == shown)
    }

    @Test func someMayBeKept() {
        #expect(PrintableText.escaped("a\n\tb\r\u{1b}", keeping: ["\n", "\t"]) == "a\n\tb\\r\\x1b")
    }

    @Test func bytesThatAreNoTextAreReplaced() {
        #expect(PrintableText.escaped([0x61, 0xff, 0x1b] as [UInt8]) == "a\u{fffd}\\x1b")
    }
}
