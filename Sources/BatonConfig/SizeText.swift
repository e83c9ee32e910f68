// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Sizes as people, and systemd, write them: `"512M"`, `"1.5G"`; K, M, G and T are powers of 1024.
enum SizeText {
    private static let units: [Character: Double] = [
        "K": 1024, "M": 1_048_576, "G": 1_073_741_824, "T": 1_099_511_627_776,
    ]

    /// The bytes; nil when the text is no size, or one of more than 2⁵³ bytes.
    static func parse(_ text: String) -> UInt64? {
        var number = Substring(text)
        var scale = 1.0
        if let last = number.last, let unit = units[last] {
            number = number.dropLast()
            scale = unit
        }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        let isNumber = parts.count <= 2 && parts.allSatisfy { !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }
        guard isNumber, let value = Double(number), value * scale <= 9_007_199_254_740_992 else { return nil }
        return UInt64(value * scale)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
