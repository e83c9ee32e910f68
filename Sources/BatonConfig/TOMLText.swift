// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import TOMLKit

/// Parses a TOML text. The only file that knows TOMLKit.
enum TOMLText {
    /// The root table, or why there is none.
    static func parse(_ bytes: [UInt8], path: String) throws(ConfigProblem) -> ConfigNode {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigProblem(
                file: path, line: lineOfInvalidUTF8(bytes), message: "this is no text: it is not valid UTF-8")
        }
        try refuseWhatTheParserCannotTake(bytes, path: path)
        if let problem = SyntaxGuard.problem(in: text, path: path) { throw problem }
        do {
            let table = try TOMLTable(string: text)
            let source = ConfigSource(path: path, text: text)
            return ConfigNode(value: .table(values(of: table, source, [])), source: source, path: [])
        } catch let error as TOMLParseError {
            throw ConfigProblem(
                file: path, line: error.source.begin.line, column: error.source.begin.column,
                message: error.description)
        } catch {
            throw ConfigProblem(file: path, message: "cannot be parsed: \(error)")
        }
    }

    private static func values(
        of table: TOMLTable, _ source: ConfigSource, _ path: [String]
    ) -> [String: ConfigNode] {
        var result: [String: ConfigNode] = [:]
        for (key, value) in table {
            let path = path + [key]
            result[key] = ConfigNode(value: self.value(of: value, source, path), source: source, path: path)
        }
        return result
    }

    private static func value(
        of value: any TOMLValueConvertible, _ source: ConfigSource, _ path: [String]
    ) -> ConfigNode.Value {
        if let text = value.string { return .string(text) }
        if let number = value.int { return .integer(Int64(number)) }
        if let number = value.double { return .float(number) }
        if let flag = value.bool { return .boolean(flag) }
        if let table = value.table { return .table(values(of: table, source, path)) }
        if let array = value.array {
            return .array(array.map { ConfigNode(value: self.value(of: $0, source, path), source: source, path: path) })
        }
        return .date(value.debugDescription)
    }

    /// The parser takes C strings: a NUL, written out or as an escape, would cut a value short without a word.
    private static func refuseWhatTheParserCannotTake(_ bytes: [UInt8], path: String) throws(ConfigProblem) {
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            if let column = line.firstIndex(of: 0) {
                throw ConfigProblem(
                    file: path, line: index + 1, column: column - line.startIndex + 1, message: "holds a NUL byte")
            }
            let text = String(decoding: line, as: UTF8.self)
            for escape in ["\\u0000", "\\U00000000"] where text.hasUnescaped(escape) {
                throw ConfigProblem(
                    file: path, line: index + 1, message: "\(escape) is a NUL character, which no value may hold")
            }
        }
    }

    private static func lineOfInvalidUTF8(_ bytes: [UInt8]) -> Int? {
        bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .firstIndex { String(validating: $0, as: UTF8.self) == nil }.map { $0 + 1 }
    }
}

extension String {
    /// Whether an escape sequence occurs whose backslash is not itself escaped.
    fileprivate func hasUnescaped(_ escape: String) -> Bool {
        var backslashes = 0
        for index in utf8.indices {
            if utf8[index] == UInt8(ascii: "\\") {
                if backslashes.isMultiple(of: 2), self[index...].hasPrefix(escape) { return true }
                backslashes += 1
            } else {
                backslashes = 0
            }
        }
        return false
    }
}
