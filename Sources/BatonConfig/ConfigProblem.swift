// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Something that is wrong, or doubtful, in a file: where, which key, and why.
package struct ConfigProblem: Error, Equatable, Sendable, CustomStringConvertible {
    /// How bad it is.
    package enum Severity: String, Equatable, Sendable {
        /// The file is not used.
        case error
        /// The file is used; somebody should look at it.
        case warning
    }

    /// The file's path.
    package var file: String
    /// Counted from 1; nil when the problem has no place in the text.
    package var line: Int?
    /// Counted from 1.
    package var column: Int?
    /// The key's path: `stop.timeout`.
    package var key: String?
    /// The reason, as a sentence without a full stop. A password in a URL that it quotes is left out.
    package var message: String
    package var severity: Severity

    /// A problem in `file`.
    package init(
        file: String, line: Int? = nil, column: Int? = nil, key: String? = nil, message: String,
        severity: Severity = .error
    ) {
        self.file = file
        self.line = line
        self.column = column
        self.key = key
        self.message = message.withoutUserOfURL
        self.severity = severity
    }

    /// One line, `FILE:LINE:COLUMN: key: message`, with control characters escaped.
    package var description: String {
        var place = file
        if let line { place += ":\(line)" }
        if let column { place += ":\(column)" }
        return [place, key, message].compactMap { $0 }.joined(separator: ": ").escapingControls
    }
}

extension String {
    /// The text without what is between the `://` and the last `@` of a URL in it.
    var withoutUserOfURL: String {
        guard let scheme = firstRange(of: "://"), let at = lastIndex(of: "@"), at >= scheme.upperBound else {
            return self
        }
        return self[..<scheme.upperBound] + "(redacted)" + self[at...]
    }

    /// The text with control characters as `\u{1b}`: what a file says must not steer a terminal.
    var escapingControls: String {
        unicodeScalars.reduce(into: "") { result, scalar in
            if scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }
}
