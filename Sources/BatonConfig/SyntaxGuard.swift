// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Finds the errors that end the process in the parser (toml++ 3.4), instead of being reported by it.
///
/// Those are: a table header whose key does not begin as one, something that is no value where an array wants one, a
/// time without digits or of a single one, and keys that nest tables deeper than a stack holds. Everything else is left
/// to the parser, which stops at the first error: so this must be right only about what comes before one. (Found by
/// feeding it random text; a test goes on doing so.)
struct SyntaxGuard {
    private let text: [Unicode.Scalar]
    private var position = 0
    /// Of values within values.
    private var depth = 0
    /// How many parts the keys have that lead to here: so deep are tables within tables.
    private var parts = 0

    /// The parser's own limit is 256.
    private static let deepest = 300
    /// It has none for these. No file of ours needs more than a few.
    private static let mostParts = 100

    /// Ends the scan: found what it looks for, or something that the parser reports by itself.
    private enum Stop: Error {
        case fatal(String)
        case ordinaryError
    }

    private init(_ text: String) {
        self.text = Array(text.unicodeScalars)
        // A byte order mark is skipped, at the very beginning.
        position = self.text.first == "\u{FEFF}" ? 1 : 0
    }

    /// What would end the process, or nil.
    static func problem(in text: String, path: String) -> ConfigProblem? {
        var scan = SyntaxGuard(text)
        do {
            while try scan.statement() {}
            return nil
        } catch .fatal(let message) {
            let before = scan.text[..<scan.position]
            let line = before.count { $0 == "\n" } + 1
            let column = before.reversed().prefix { $0 != "\n" }.count + 1
            return ConfigProblem(file: path, line: line, column: column, message: message)
        } catch {
            return nil
        }
    }

    private var current: Unicode.Scalar? { position < text.count ? text[position] : nil }

    private func isAhead(_ sequence: String) -> Bool {
        text[position...].starts(with: sequence.unicodeScalars)
    }

    /// One line of the document and what belongs to it; false at the end.
    private mutating func statement() throws(Stop) -> Bool {
        skipBlanks(withLines: true)
        guard let first = current else { return false }
        if first == "[" {
            try header()
        } else {
            try pair()
        }
        skipBlanks(withLines: false)
        if current == "#" { skipComment() }
        if let next = current, next != "\n", next != "\r" { throw .ordinaryError }
        return true
    }

    private mutating func header() throws(Stop) {
        position += 1
        skipBlanks(withLines: false)
        let isArray = current == "["
        if isArray {
            position += 1
            skipBlanks(withLines: false)
        }
        guard let first = current, first != "]" else { throw .ordinaryError }
        if !isKeyStart(first) { throw .fatal("expected a table's name after '[', saw \(shown(first))") }
        parts = 0
        try key()
        for _ in 0..<(isArray ? 2 : 1) {
            if current != "]" { throw .ordinaryError }
            position += 1
        }
    }

    private mutating func pair() throws(Stop) {
        let outer = parts
        defer { parts = outer }
        try key()
        if current != "=" { throw .ordinaryError }
        position += 1
        skipBlanks(withLines: false)
        try value()
    }

    /// `a . "b c"`, and the blanks after it.
    private mutating func key() throws(Stop) {
        while true {
            guard let first = current, isKeyStart(first) else { throw .ordinaryError }
            parts += 1
            if parts > Self.mostParts { throw .fatal("tables are nested more than \(Self.mostParts) deep") }
            if first == "\"" || first == "'" {
                try string()
            } else {
                while let scalar = current, isBare(scalar) { position += 1 }
            }
            skipBlanks(withLines: false)
            if current != "." { return }
            position += 1
            skipBlanks(withLines: false)
        }
    }

    private mutating func value() throws(Stop) {
        switch current {
        case nil: throw .ordinaryError
        case "\"", "'": try string()
        case "[": try nested { scan throws(Stop) in try scan.array() }
        case "{": try nested { scan throws(Stop) in try scan.inlineTable() }
        default: try plainValue()
        }
    }

    private mutating func nested(_ body: (inout SyntaxGuard) throws(Stop) -> Void) throws(Stop) {
        depth += 1
        defer { depth -= 1 }
        if depth > Self.deepest { throw .ordinaryError }
        position += 1
        try body(&self)
        position += 1
    }

    private mutating func array() throws(Stop) {
        while true {
            skipBlanks(withLines: true)
            guard let first = current else { throw .ordinaryError }
            if first == "]" { return }
            if first == "," { throw .ordinaryError }
            if isTerminator(first) { throw .fatal("expected a value or ']' in an array, saw \(shown(first))") }
            try value()
            skipBlanks(withLines: true)
            if current == "]" { return }
            if current != "," { throw .ordinaryError }
            position += 1
        }
    }

    private mutating func inlineTable() throws(Stop) {
        skipBlanks(withLines: false)
        if current == "}" { return }
        while true {
            try pair()
            skipBlanks(withLines: false)
            if current == "}" { return }
            if current != "," { throw .ordinaryError }
            position += 1
            skipBlanks(withLines: false)
        }
    }

    /// A number, a date, true or false.
    private mutating func plainValue() throws(Stop) {
        let start = position
        while let scalar = current, !isTerminator(scalar) { position += 1 }
        let word = text[start..<position]
        guard word.count > 10, isDate(word.prefix(10)), let separator = word.dropFirst(10).first else {
            return try dateAndTimeApart(word)
        }
        if separator == "T" || separator == "t" {
            if let next = word.dropFirst(11).first ?? current, isDigit(next) { return }
            position = start + 11
            if let next = current { throw .fatal("expected a time after '\(separator)', saw \(shown(next))") }
        }
    }

    /// `2026-01-01 10:00:00`: the time goes on after one blank.
    private mutating func dateAndTimeApart(_ word: ArraySlice<Unicode.Scalar>) throws(Stop) {
        guard current == " ", position + 1 < text.count, isDigit(text[position + 1]) else { return }
        // The parser takes more for a date than is one, and overlooks underscores.
        let letters = word.filter { $0 != "_" }
        if letters.count == 10, letters[4] == "-", letters[7] == "-", position + 2 < text.count,
            isTerminator(text[position + 2])
        {
            position += 1
            throw .fatal("expected a time after the date, saw only '\(text[position])'")
        }
        guard word.count == 10, isDate(word) else { return }
        position += 1
        while let scalar = current, !isTerminator(scalar) { position += 1 }
    }

    private mutating func string() throws(Stop) {
        guard let quote = current else { throw .ordinaryError }
        let triple = String(repeating: String(quote), count: 3)
        let isLong = isAhead(triple)
        position += isLong ? 3 : 1
        while let scalar = current {
            if scalar == "\\", quote == "\"" {
                position += 2
            } else if scalar == quote, !isLong || isAhead(triple) {
                position += isLong ? 3 : 1
                // Up to two more quotes belong to the string.
                for _ in 0..<2 where isLong && current == quote { position += 1 }
                return
            } else if !isLong, scalar == "\n" {
                throw .ordinaryError
            } else {
                position += 1
            }
        }
        throw .ordinaryError
    }

    private mutating func skipBlanks(withLines: Bool) {
        while let scalar = current {
            if scalar == " " || scalar == "\t" || (withLines && (scalar == "\n" || scalar == "\r")) {
                position += 1
            } else if withLines, scalar == "#" {
                skipComment()
            } else {
                return
            }
        }
    }

    private mutating func skipComment() {
        while let scalar = current, scalar != "\n" { position += 1 }
    }

    private func isDate(_ word: ArraySlice<Unicode.Scalar>) -> Bool {
        word.enumerated().allSatisfy { index, scalar in
            index == 4 || index == 7 ? scalar == "-" : isDigit(scalar)
        }
    }

    private func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }
    private func isKeyStart(_ scalar: Unicode.Scalar) -> Bool { scalar == "\"" || scalar == "'" || isBare(scalar) }

    private func isBare(_ scalar: Unicode.Scalar) -> Bool {
        isDigit(scalar) || ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
            || "-_".unicodeScalars.contains(scalar)
    }

    /// What ends a plain value for the parser: blanks of every language, too.
    private func isTerminator(_ scalar: Unicode.Scalar) -> Bool {
        ",]}#\u{180E}\u{200B}\u{2060}\u{FEFF}".unicodeScalars.contains(scalar) || scalar.properties.isWhitespace
    }

    private func shown(_ scalar: Unicode.Scalar) -> String {
        if scalar == "\n" { return "the end of the line" }
        if scalar.value > 0x20 && scalar.value < 0x7F { return "'\(scalar)'" }
        return "U+" + String(scalar.value, radix: 16, uppercase: true)
    }
}
