// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Logging

/// The log in the journal's native protocol: what varies is in fields of its own, and in the message for who reads it.
struct JournalLogHandler: LogHandler {
    /// The daemon's, unless this logger was given one of its own.
    var logLevel: Logger.Level {
        get { ownLevel ?? level.current }
        set { ownLevel = newValue }
    }
    private var ownLevel: Logger.Level?
    let level: LogLevel
    var metadata: Logger.Metadata = [:]
    /// The node's name, beside everything it says.
    let node: String
    let journal: JournalWriter

    /// No field is longer. That is much, and far below what fits into a datagram.
    private static let longestField = 8 << 10

    init(level: LogLevel, node: String, journal: JournalWriter) {
        self.level = level
        self.node = node
        self.journal = journal
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        journal.write(Self.entry(event, metadata.merging(event.metadata ?? [:]) { $1 }, node: node).bytes)
    }

    /// The entry of a log event.
    static func entry(_ event: LogEvent, _ metadata: Logger.Metadata, node: String) -> JournalEntry {
        var entry = head(priority: LogText.priority(event.level), node: node)
        if let name = metadata[EventKind.metadataKey].map({ "\($0)" }), let kind = EventKind(rawValue: name) {
            entry.put("MESSAGE_ID", kind.id)
        }
        entry.put("CODE_FILE", event.file)
        entry.put("CODE_LINE", "\(event.line)")
        entry.put("CODE_FUNC", event.function)
        // Two keys that make one name: the first has it. The node's own name can't be replaced.
        var taken: Set<String> = ["BATON_NODE"]
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }).prefix(Self.mostFields) {
            let name = JournalEntry.fieldName(of: key)
            if taken.insert(name).inserted { entry.put(name, "\(value)", limit: Self.longestField) }
        }
        entry.put("MESSAGE", LogText.line(event.message, metadata), limit: Self.longestField)
        return entry
    }

    /// The fields that every entry of the daemon has.
    static func head(priority: Int, node: String) -> JournalEntry {
        var entry = JournalEntry()
        entry.put("PRIORITY", "\(priority)")
        entry.put("SYSLOG_IDENTIFIER", "batond")
        entry.put("SYSLOG_FACILITY", "3")
        entry.put("BATON_NODE", node)
        return entry
    }

    /// So that all of them together have a bound as well. No log of ours has half as many.
    private static let mostFields = 16
}
