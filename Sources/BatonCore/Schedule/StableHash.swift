// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A number made of a text: the same on every node and in every version of Baton, for what must be spread over a fleet
/// and stay where it is.
///
/// FNV-1a, then a finisher that lets every bit of the text count in every bit of the number.
enum StableHash {
    /// A number from 0 to `count` - 1; `count` is positive.
    static func number(of text: String, below count: Int) -> Int {
        var word: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 {
            word ^= UInt64(byte)
            word &*= 0x100_0000_01b3
        }
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        word ^= word >> 31
        return Int(word % UInt64(count))
    }
}
