// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Reads the keys of one table: records every problem, and knows which keys nobody asked for.
struct TableReader {
    private let node: ConfigNode
    private var left: [String: ConfigNode]
    private var asked: Set<String> = []
    private let log: ProblemLog

    /// `node` is a table; anything else reads as an empty one.
    init(_ node: ConfigNode, _ log: ProblemLog) {
        self.node = node
        self.log = log
        if case .table(let values) = node.value { left = values } else { left = [:] }
    }

    /// A key's value, as long as nobody has asked for it. It stays so.
    func peek(_ key: String) -> ConfigNode? { left[key] }

    /// The value of a key, whatever it is.
    mutating func value(_ key: String) -> ConfigNode? {
        asked.insert(key)
        return left.removeValue(forKey: key)
    }

    mutating func string(_ key: String) -> (text: String, node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        guard case .string(let text) = node.value else { return wrong(node, "a string") }
        return (text, node)
    }

    /// As `string`, for a key in whose place somebody may have written a secret: no message shows the value.
    mutating func secretString(_ key: String) -> (text: String, node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        guard case .string(let text) = node.value else {
            log.add(node.problem("is \(node.kind); wanted a string"))
            return nil
        }
        return (text, node)
    }

    /// A user or group: its name, or its number as text.
    mutating func account(_ key: String) -> (text: String, node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        switch node.value {
        case .string(let name): return (name, node)
        case .integer(let number): return (String(number), node)
        case .table, .array, .float, .boolean, .date: return wrong(node, "a name or a number")
        }
    }

    mutating func integer(_ key: String) -> (number: Int64, node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        guard case .integer(let number) = node.value else { return wrong(node, "an integer") }
        return (number, node)
    }

    mutating func boolean(_ key: String) -> Bool? {
        guard let node = value(key) else { return nil }
        guard case .boolean(let flag) = node.value else { return wrong(node, "true or false") }
        return flag
    }

    mutating func duration(_ key: String) -> (duration: Duration, node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        guard case .string(let text) = node.value else {
            return wrong(node, "a duration in quotes, such as \"30s\"")
        }
        do {
            return (try DurationText.parse(text), node)
        } catch {
            log.add(node.problem(error.reason))
            return nil
        }
    }

    mutating func strings(_ key: String) -> (texts: [String], node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        guard case .array(let elements) = node.value else { return wrong(node, "an array of strings") }
        var texts: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element.value else {
                log.add(node.problem("element \(index + 1) is \(element.found); wanted a string"))
                return nil
            }
            texts.append(text)
        }
        return (texts, node)
    }

    mutating func integers(_ key: String) -> (numbers: [Int64], node: ConfigNode)? {
        guard let node = value(key) else { return nil }
        guard case .array(let elements) = node.value else { return wrong(node, "an array of integers") }
        var numbers: [Int64] = []
        for (index, element) in elements.enumerated() {
            guard case .integer(let number) = element.value else {
                log.add(node.problem("element \(index + 1) is \(element.found); wanted an integer"))
                return nil
            }
            numbers.append(number)
        }
        return (numbers, node)
    }

    /// One of the words that an enumeration has.
    mutating func word<Word: RawRepresentable<String> & CaseIterable>(_ key: String, _ what: String) -> Word? {
        guard let (text, node) = string(key) else { return nil }
        if let word = Word(rawValue: text) { return word }
        reject(node, "'\(text)' is no \(what); wanted one of \(Self.list(Word.self))")
        return nil
    }

    /// The words, for messages.
    static func list<Word: RawRepresentable<String> & CaseIterable>(_: Word.Type) -> String {
        Word.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    }

    mutating func stringTable(_ key: String) -> [String: (text: String, node: ConfigNode)]? {
        guard let node = value(key) else { return nil }
        guard case .table(let values) = node.value else { return wrong(node, "a table of strings") }
        var result: [String: (String, ConfigNode)] = [:]
        for (name, value) in values {
            if case .string(let text) = value.value {
                result[name] = (text, value)
            } else {
                // An environment may hold secrets.
                log.add(value.problem("is \(value.kind); wanted a string"))
            }
        }
        return result
    }

    /// A table of tags: names and texts.
    mutating func tags(_ key: String) -> [String: String]? {
        guard let table = stringTable(key) else { return nil }
        for (name, value) in table.sorted(by: { $0.key < $1.key }) {
            if let reason = Names.problem(ofTag: name, value.text) { reject(value.node, reason) }
        }
        return table.mapValues(\.text)
    }

    /// Reads a table within this one. What it does not ask for is recorded as unknown.
    mutating func table(_ key: String, planned: [String] = [], _ body: (inout TableReader) -> Void) {
        guard let node = value(key) else { return }
        guard case .table = node.value else {
            return log.add(node.problem("is \(node.found); wanted a table, [\(key)]"))
        }
        var reader = TableReader(node, log)
        body(&reader)
        reader.finish(planned: planned)
    }

    /// Records the keys that nobody asked for.
    func finish(planned: [String]) {
        log.know(asked, in: node.path)
        for (key, node) in left.sorted(by: { $0.key < $1.key }) {
            if planned.contains(key) {
                log.add(node.problem("is not supported by this version of Baton yet"))
            } else {
                var message = "unknown key '\(key)'"
                if let near = Spelling.nearest(to: key, among: asked.union(planned)) {
                    message += "; did you mean '\(near)'?"
                }
                log.add(node.problem(message))
            }
        }
    }

    /// Records a problem of a value.
    func reject(_ node: ConfigNode, _ message: String) {
        log.add(node.problem(message))
    }

    /// Records a problem of this table as a whole.
    func reject(_ message: String) {
        log.add(node.problem(message))
    }

    /// Records a doubt.
    func warn(_ node: ConfigNode, _ message: String) {
        log.add(node.problem(message, severity: .warning))
    }

    private func wrong<Value>(_ node: ConfigNode, _ wanted: String) -> Value? {
        log.add(node.problem("is \(node.found); wanted \(wanted)"))
        return nil
    }
}

/// Gathers the problems of one file: all of them, not just the first.
final class ProblemLog {
    private(set) var problems: [ConfigProblem] = []
    /// The keys that a file may have, by the table they stand in, as far as its tables were read.
    private(set) var known: [[String]: Set<String>] = [:]

    var hasErrors: Bool { problems.contains { $0.severity == .error } }
    var errors: [ConfigProblem] { problems.filter { $0.severity == .error } }
    var warnings: [ConfigProblem] { problems.filter { $0.severity == .warning } }

    func add(_ problem: ConfigProblem) { problems.append(problem) }

    func know(_ keys: Set<String>, in table: [String]) { known[table, default: []].formUnion(keys) }

    /// In the order of the text, as a compiler lists them.
    func sort() {
        problems.sort { ($0.file, $0.line ?? 0, $0.key ?? "") < ($1.file, $1.line ?? 0, $1.key ?? "") }
    }
}
