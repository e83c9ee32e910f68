// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Logging

/// How an event of the log reads, in a line and in the journal's MESSAGE alike: the message, and what varies behind it.
enum LogText {
    /// As in `run ended job=report run=… outcome=failed detail="exit code 3"`. Never with a line's end.
    static func line(_ message: Logger.Message, _ metadata: Logger.Metadata) -> String {
        let rest = metadata.filter { $0.key != EventKind.metadataKey }
            .sorted { place($0.key) < place($1.key) }
            .map { " \($0.key)=\(quoted("\($0.value)"))" }.joined()
        return escaped("\(message)") + rest
    }

    /// The priority of a syslog.
    static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    /// What a line is about comes first, the sentence that explains it last.
    private static func place(_ key: String) -> (Int, String) {
        switch key {
        case "job": (0, key)
        case "reason", "detail": (2, key)
        default: (1, key)
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
