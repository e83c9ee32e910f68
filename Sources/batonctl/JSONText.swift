// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// JSON as received, laid out for people: nothing added, dropped, reordered or rounded, whatever the daemon's version.
package enum JSONText {
    /// Two spaces for each level, one member or element a line. Control characters that JSON allows inside strings
    /// (DEL, C1) are written as `\u00XX`.
    package static func pretty(_ bytes: [UInt8]) -> String {
        var result = ""
        var depth = 0
        var isInString = false
        var isEscaped = false
        var previous: Unicode.Scalar = " "
        func newline() -> String { "\n" + String(repeating: "  ", count: depth) }

        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            if isInString {
                append(scalar, to: &result)
                if isEscaped {
                    isEscaped = false
                } else if scalar == "\\" {
                    isEscaped = true
                } else if scalar == "\"" {
                    isInString = false
                }
                previous = scalar
                continue
            }
            switch scalar {
            case " ", "\t", "\n", "\r": continue
            case "{", "[":
                if previous == "{" || previous == "[" { result += newline() }
                result.unicodeScalars.append(scalar)
                depth += 1
            case "}", "]":
                depth = max(0, depth - 1)
                if previous != "{", previous != "[" { result += newline() }
                result.unicodeScalars.append(scalar)
            case ",": result += "," + newline()
            case ":": result += ": "
            default:
                if previous == "{" || previous == "[" { result += newline() }
                isInString = scalar == "\""
                result.unicodeScalars.append(scalar)
            }
            previous = scalar
        }
        return result
    }

    /// The same text, without what steers a terminal.
    static func plain(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self).unicodeScalars.reduce(into: "") { append($1, to: &$0) }
    }

    private static func append(_ scalar: Unicode.Scalar, to result: inout String) {
        if (0x7f..<0xa0).contains(scalar.value) {
            result += "\\u00" + String(scalar.value, radix: 16)
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
}
