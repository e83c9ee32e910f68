// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Glibc
package import Logging

/// Log lines on standard error: with a syslog priority for the journal, with the time and the level for a person.
package struct LineLogHandler: LogHandler {
    /// The daemon's, unless this logger was given one of its own.
    package var logLevel: Logger.Level {
        get { ownLevel ?? level.current }
        set { ownLevel = newValue }
    }
    private var ownLevel: Logger.Level?
    private let level: LogLevel
    package var metadata: Logger.Metadata = [:]
    /// Standard error is the journal: it adds the time itself, and reads the priority.
    private let journal: Bool

    /// - Parameter journal: whether standard error is connected to the journal (`JOURNAL_STREAM` is set).
    package init(level: LogLevel, journal: Bool) {
        self.level = level
        self.journal = journal
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let rest = all.sorted { LineLogHandler.place($0.key) < LineLogHandler.place($1.key) }
            .map { " \($0.key)=\(LineLogHandler.quoted("\($0.value)"))" }.joined()
        let head =
            journal
            ? "<\(LineLogHandler.priority(event.level))>" : "\(WallClock.rfc3339(milliseconds: true)) \(event.level): "
        let line = Array((head + LineLogHandler.escaped("\(event.message)") + rest + "\n").utf8)
        // One write, so that lines of several threads do not mix; a full or closed pipe loses the line, not the daemon.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// What a line is about comes first, the sentence that explains it last.
    private static func place(_ key: String) -> (Int, String) {
        switch key {
        case "job": (0, key)
        case "reason", "detail": (2, key)
        default: (1, key)
        }
    }

    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// Control characters of others must not reach a terminal.
    private static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else { return text }
        return text.unicodeScalars.map {
            $0.properties.generalCategory == .control ? $0.escaped(asASCII: true) : "\($0)"
        }
        .joined()
    }

    private static func quoted(_ text: String) -> String {
        let plain = escaped(text)
        return plain.isEmpty || plain.contains(" ") ? "\"\(plain)\"" : plain
    }
}
