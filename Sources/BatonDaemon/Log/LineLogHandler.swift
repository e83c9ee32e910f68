// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Logging

/// Log lines on standard error: with the time and the level for a person; with a syslog priority for a journal that can
/// be reached in no better way.
struct LineLogHandler: LogHandler {
    /// The daemon's, unless this logger was given one of its own.
    var logLevel: Logger.Level {
        get { ownLevel ?? level.current }
        set { ownLevel = newValue }
    }
    private var ownLevel: Logger.Level?
    let level: LogLevel
    var metadata: Logger.Metadata = [:]
    /// Standard error is the journal: it adds the time itself, and reads the priority.
    let isJournal: Bool
    let errors: StandardError

    init(level: LogLevel, isJournal: Bool, errors: StandardError) {
        self.level = level
        self.isJournal = isJournal
        self.errors = errors
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let head =
            isJournal
            ? "<\(LogText.priority(event.level))>" : "\(WallClock.rfc3339(milliseconds: true)) \(event.level): "
        errors.write(head + LogText.line(event.message, metadata.merging(event.metadata ?? [:]) { $1 }))
    }
}
