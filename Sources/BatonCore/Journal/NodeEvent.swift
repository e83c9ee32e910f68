// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Something that happened to a node or one of its jobs, as `batonctl events` tells it and a `[notify]` command is given it.
///
/// In JSON it is one flat object: these keys, and beside them what else is known, each a text under a key of its own, such
/// as `job`, `run_id`, `fence`, `tick`, `outcome`, `uid`. Scripts depend on it: keys are added, never renamed.
package struct NodeEvent: Equatable, Sendable {
    /// Counts up from 1 in each life of a daemon.
    package var id: UInt64
    /// RFC 3339 in UTC, with milliseconds, by this node's clock.
    package var time: String
    /// The node that tells.
    package var node: String
    /// What happened, the raw value of an ``EventKind``. A later version may have others.
    package var event: String
    /// As the log has it: `info`, `notice`, `warning` …
    package var level: String
    /// For people, in a few words.
    package var message: String
    /// What varies. Text of workloads and of the store is as it was: who prints it escapes it.
    package var fields: [String: String]

    /// An event. Fields that are called as one of the keys above are left out, and long ones cut.
    ///
    /// - Parameter fields: by their names in the log.
    package init(
        id: UInt64, time: String, node: String, event: String, level: String, message: String, fields: [String: String]
    ) {
        self.id = id
        self.time = time
        self.node = node
        self.event = event
        self.level = level
        self.message = Self.cut(message)
        self.fields = [:]
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) where self.fields.count < Self.mostFields {
            let key = name == "run" ? "run_id" : name
            if Key.Known(rawValue: key) == nil { self.fields[key] = Self.cut(value) }
        }
    }

    /// The job that it is about.
    package var job: String? { fields["job"] }
    /// Nil: a later version's.
    package var kind: EventKind? { EventKind(rawValue: event) }

    /// So that a thousand of them are no burden.
    private static let longest = 1000
    private static let mostFields = 16

    private static func cut(_ text: String) -> String {
        if text.utf8.count <= longest { return text }
        return String(String.UnicodeScalarView(text.unicodeScalars.prefix(longest))) + "…"
    }
}

extension NodeEvent: Codable {
    private struct Key: CodingKey {
        enum Known: String, CaseIterable { case id, time, node, event, level, message }

        var stringValue: String
        var intValue: Int? { nil }

        init(_ known: Known) { stringValue = known.rawValue }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        id = try container.decode(UInt64.self, forKey: Key(.id))
        time = try container.decode(String.self, forKey: Key(.time))
        node = try container.decode(String.self, forKey: Key(.node))
        event = try container.decode(String.self, forKey: Key(.event))
        level = try container.decode(String.self, forKey: Key(.level))
        message = try container.decode(String.self, forKey: Key(.message))
        fields = [:]
        for key in container.allKeys where Key.Known(rawValue: key.stringValue) == nil {
            // What a later version says in another way than as text is passed over.
            if let value = try? container.decode(String.self, forKey: key) { fields[key.stringValue] = value }
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(id, forKey: Key(.id))
        try container.encode(time, forKey: Key(.time))
        try container.encode(node, forKey: Key(.node))
        try container.encode(event, forKey: Key(.event))
        try container.encode(level, forKey: Key(.level))
        try container.encode(message, forKey: Key(.message))
        for (key, value) in fields { try container.encode(value, forKey: Key(stringValue: key)) }
    }
}
