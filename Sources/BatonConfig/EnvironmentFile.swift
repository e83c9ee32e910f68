// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// A file of `KEY=VALUE` lines, as systemd's `EnvironmentFile=` reads it: quotes, comments, lines continued by `\`.
package enum EnvironmentFile {
    /// Reads what a job's `environment_file` names. A path that begins with `-` may be missing, and is empty then.
    ///
    /// - Throws: the first problem of the file, or of a folder above it. A missing optional file is no error.
    package static func read(_ specification: String) throws(ConfigProblem) -> [String: String] {
        let isOptional = specification.hasPrefix("-")
        let path = isOptional ? String(specification.dropFirst()) : specification
        if isOptional, access(path, F_OK) != 0, errno == ENOENT { return [:] }
        return try parse(TrustedFile(user: geteuid()).read(path).bytes, path: path)
    }

    /// What the bytes of a file say. A later line of the same key wins.
    package static func parse(_ bytes: [UInt8], path: String) throws(ConfigProblem) -> [String: String] {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigProblem(file: path, message: "this is no text: it is not valid UTF-8")
        }
        var parser = Parser(text: Array(text.unicodeScalars), path: path)
        return try parser.run()
    }

    private struct Parser {
        let text: [Unicode.Scalar]
        let path: String
        var position = 0
        var line = 1

        mutating func run() throws(ConfigProblem) -> [String: String] {
            var result: [String: String] = [:]
            while let first = skipBlanks() {
                if first == "#" || first == ";" {
                    skipComment()
                    continue
                }
                let start = line
                let key = try key(start)
                let value = try value(of: key, start)
                if value.utf8.contains(0) {
                    throw ConfigProblem(file: path, line: start, key: key, message: "holds a NUL character")
                }
                result[key] = value
            }
            return result
        }

        private mutating func next() -> Unicode.Scalar? {
            guard position < text.count else { return nil }
            defer { position += 1 }
            if text[position] == "\n" { line += 1 }
            return text[position]
        }

        private mutating func skipBlanks() -> Unicode.Scalar? {
            while position < text.count, " \t\r\n".unicodeScalars.contains(text[position]) { _ = next() }
            return position < text.count ? text[position] : nil
        }

        private mutating func skipComment() {
            while let scalar = next(), scalar != "\n" {
                if scalar == "\\" { _ = next() }
            }
        }

        private mutating func key(_ line: Int) throws(ConfigProblem) -> String {
            var key = ""
            while true {
                guard let scalar = next(), scalar != "\n" else {
                    throw ConfigProblem(file: path, line: line, message: "has no '='; wanted KEY=VALUE")
                }
                if scalar == "=" { break }
                key.unicodeScalars.append(scalar)
            }
            while let last = key.last, last == " " || last == "\t" { key.removeLast() }
            if key.isEmpty { throw ConfigProblem(file: path, line: line, message: "has no name before the '='") }
            guard EnvironmentName.isWellFormed(key) else {
                // It is not shown: a line that sets no variable may be one of a secret of several lines.
                let hint = key.hasPrefix("export ") ? "; leave out the word export" : ""
                throw ConfigProblem(
                    file: path, line: line,
                    message: "what is before the '=' cannot name a variable; wanted letters, digits and _\(hint)")
            }
            if let reason = EnvironmentName.problem(of: key) {
                throw ConfigProblem(file: path, line: line, key: key, message: reason)
            }
            return key
        }

        private mutating func value(of key: String, _ start: Int) throws(ConfigProblem) -> String {
            while position < text.count, text[position] == " " || text[position] == "\t" { position += 1 }
            var value = String.UnicodeScalarView()
            // Blanks at the end of a line count only within quotes.
            var kept = 0
            loop: while let scalar = next() {
                switch scalar {
                case "\n": break loop
                case "\r" where position == text.count || text[position] == "\n": continue
                case "'", "\"":
                    try quoted(by: scalar, into: &value, key, start)
                    kept = value.count
                case "\\":
                    guard let escaped = next() else { break loop }
                    if escaped != "\n" { value.append(escaped) }
                    kept = value.count
                default:
                    value.append(scalar)
                    if scalar != " ", scalar != "\t" { kept = value.count }
                }
            }
            return String(value.prefix(kept))
        }

        private mutating func quoted(
            by quote: Unicode.Scalar, into value: inout String.UnicodeScalarView, _ key: String, _ start: Int
        ) throws(ConfigProblem) {
            while let scalar = next() {
                if scalar == quote { return }
                guard scalar == "\\", quote == "\"" else {
                    value.append(scalar)
                    continue
                }
                guard let escaped = next() else { break }
                if escaped == "\n" { continue }
                if !"\"\\`$".unicodeScalars.contains(escaped) { value.append("\\") }
                value.append(escaped)
            }
            throw ConfigProblem(file: path, line: start, key: key, message: "has a \(quote) that is never closed")
        }
    }
}

/// What the name of an environment variable may be.
enum EnvironmentName {
    /// Why a name cannot be; nil when it can.
    static func problem(of name: String) -> String? {
        if name.isEmpty { return "has no name before the '='" }
        if !isWellFormed(name) { return "'\(name)' cannot name an environment variable; wanted letters, digits and _" }
        if name.hasPrefix("BATON_") { return "'\(name)' is set by Baton itself" }
        return nil
    }
    /// Letters, digits and `_`, a digit not first.
    static func isWellFormed(_ name: String) -> Bool {
        name.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"):
                return true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): return index > 0
            default: return false
            }
        }
    }
}
