// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Glibc
package import Logging

/// Where the daemon's log goes: into the journal if that is what standard error is connected to, else as lines on
/// standard error.
package struct DaemonLog: Sendable {
    private let level: LogLevel
    private let node: String
    private let journal: JournalWriter?
    private let isJournal: Bool
    private let errors = StandardError()

    /// Finds out what standard error is. `socket` is where journald listens.
    package init(level: LogLevel, node: String, socket: String = JournalSocket.standardPath) {
        self.level = level
        self.node = node
        isJournal = JournalSocket.isStandardError(getenv("JOURNAL_STREAM").map { String(cString: $0) })
        journal = isJournal ? JournalWriter(path: socket, node: node) : nil
    }

    /// For `LoggingSystem.bootstrap`.
    package func handler() -> any LogHandler {
        if let journal { return JournalLogHandler(level: level, node: node, journal: journal) }
        return LineLogHandler(level: level, isJournal: isJournal, errors: errors)
    }

    /// Gives a slow journal some time to take what was said last.
    package func flush(within limit: Duration = .seconds(5)) { journal?.flush(within: limit) }
}
