// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A value in a configuration file, with the place it came from: after a merge, neighbours may be of different files.
struct ConfigNode: Sendable {
    indirect enum Value: Sendable {
        case table([String: ConfigNode])
        case array([ConfigNode])
        case string(String)
        case integer(Int64)
        case float(Double)
        case boolean(Bool)
        /// A date or time, which no key wants; as text.
        case date(String)
    }

    var value: Value
    let source: ConfigSource
    /// The keys that lead to it in its file.
    let path: [String]

    /// This table with the values of `other` in it: tables merge by key, everything else replaces.
    func merged(with other: ConfigNode) -> ConfigNode {
        guard case .table(let ours) = value, case .table(let theirs) = other.value else { return other }
        var result = other
        result.value = .table(ours.merging(theirs) { $0.merged(with: $1) })
        return result
    }

    /// A problem of this value.
    func problem(_ message: String, severity: ConfigProblem.Severity = .error) -> ConfigProblem {
        source.problem(at: path, message, severity: severity)
    }

    /// What it is, for messages that must not show it: `an integer`.
    var kind: String {
        switch value {
        case .table: return "a table"
        case .array: return "an array"
        case .string: return "a string"
        case .integer: return "an integer"
        case .float: return "a number"
        case .boolean: return "a boolean"
        case .date: return "a date"
        }
    }

    /// What it is, for messages: `the integer 30`.
    var found: String {
        switch value {
        case .table, .array: return kind
        // A URL in the wrong place may have a password in it.
        case .string(let text) where text.contains("://"): return "a URL"
        case .string(let text): return "the string \"\(text.prefix(40))\(text.count > 40 ? "…" : "")\""
        case .integer(let number): return "the integer \(number)"
        case .float(let number): return "the number \(number)"
        case .boolean(let flag): return "\(flag)"
        case .date(let text): return "the date \(text)"
        }
    }
}

/// A file's path and text, to say where a value stands.
final class ConfigSource: Sendable {
    let path: String
    private let lines: KeyLines

    init(path: String, text: String) {
        self.path = path
        lines = KeyLines(text)
    }

    func problem(
        at key: [String], _ message: String, severity: ConfigProblem.Severity = .error
    ) -> ConfigProblem {
        ConfigProblem(
            file: path, line: lines.line(of: key), key: key.isEmpty ? nil : key.joined(separator: "."),
            message: message, severity: severity)
    }
}
