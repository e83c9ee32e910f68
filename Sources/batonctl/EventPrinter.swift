// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Foundation

/// Prints what comes of `batonctl events`, a line each.
struct EventPrinter {
    let isJSON: Bool

    private struct Dropped: Encodable {
        var dropped: Int
    }

    func print(_ text: Data) throws(Failure) {
        let frame: EventFrame
        do {
            frame = try JSONDecoder().decode(EventFrame.self, from: text)
        } catch {
            throw Failure(code: .failed, message: "batond said something that this batonctl does not understand")
        }
        if let dropped = frame.dropped {
            if isJSON { say(Dropped(dropped: dropped)) }
            Output.error("batonctl: \(dropped) events dropped: they came faster than they were read")
        }
        guard let event = frame.event else { return }
        if isJSON { say(event) } else { Output.followed(Bytes((EventText.line(event) + "\n").utf8)) }
    }

    private func say(_ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers can always be encoded.
        guard let text = try? encoder.encode(value) else { return }
        Output.followed(Bytes((JSONText.plain(Bytes(text)) + "\n").utf8))
    }
}

/// An event as a line for people.
package enum EventText {
    /// As in `2026-11-23T02:00:00.120Z  warning  run-failed  run ended job=report …`. Nothing of it steers a terminal.
    package static func line(_ event: NodeEvent) -> String {
        let fields = event.fields.sorted { place($0.key) < place($1.key) }.map { "\($0.key)=\(quoted($0.value))" }
        let head = [event.time, padded(event.level, 8), padded(event.event, 16)].map { PrintableText.escaped($0) }
        return
            (head.joined(separator: "  ") + "  "
            + ([PrintableText.escaped(event.message)] + fields.map { PrintableText.escaped($0) }).joined(separator: " "))
    }

    /// What it is about comes first, the sentence that explains it last.
    private static func place(_ key: String) -> (Int, String) {
        switch key {
        case "job": (0, key)
        case "reason", "detail": (2, key)
        default: (1, key)
        }
    }

    private static func quoted(_ text: String) -> String {
        text.isEmpty || text.contains(" ") ? "\"\(text)\"" : text
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
