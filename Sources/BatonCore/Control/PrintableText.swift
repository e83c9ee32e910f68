// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Text from a workload or the store, made safe to print.
///
/// Such text may carry escape sequences that move the cursor, rename the window or rewrite what was printed before, and
/// direction marks that make a line read as something else. They are shown instead of obeyed.
package enum PrintableText {
    /// The text with control characters as `\n`, `\t`, `\x1b`, `\u{202e}`, except those in `keeping`.
    ///
    /// A backslash stays as it is: this is for people, not to be parsed again.
    package static func escaped(_ text: String, keeping: Set<Unicode.Scalar> = []) -> String {
        guard text.unicodeScalars.contains(where: isUnsafe) else { return text }
        var result = ""
        result.reserveCapacity(text.utf8.count + 16)
        for scalar in text.unicodeScalars {
            if isUnsafe(scalar), !keeping.contains(scalar) {
                result += escape(scalar)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Bytes for people: what is not UTF-8 becomes U+FFFD, the rest is escaped.
    package static func escaped(_ bytes: some Collection<UInt8>, keeping: Set<Unicode.Scalar> = []) -> String {
        escaped(String(decoding: bytes, as: UTF8.self), keeping: keeping)
    }

    private static func escape(_ scalar: Unicode.Scalar) -> String {
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default:
            let digits = String(scalar.value, radix: 16)
            if scalar.value > 0xff { return "\\u{\(digits)}" }
            return "\\x" + (digits.count == 1 ? "0" : "") + digits
        }
    }

    /// Control characters (also C1: some terminals obey U+009B as they do ESC [), line and paragraph separators, and
    /// the marks and overrides of writing direction.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7f..<0xa0: return true
        case 0x061c, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069: return true
        default: return false
        }
    }
}
