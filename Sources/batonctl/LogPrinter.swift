// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation

/// Prints what comes of `batonctl logs -f`: output on stdout, what there is to say of it on stderr; or all of it as lines
/// of JSON.
struct LogPrinter {
    let job: String
    let isJSON: Bool
    private var run: LogFrame.Run?
    /// For JSON, which wants whole lines.
    private var cutter = LineCutter()
    /// The beginning of a character whose other bytes are still to come.
    private var begun: Bytes = []

    private struct Line: Encodable {
        var job: String
        var runID: String?
        var fence: Int64?
        var line: String?
        var skippedBytes: UInt64?
        var ended: String?
        var note: String?

        enum CodingKeys: String, CodingKey {
            case job, fence, line, ended, note
            case runID = "run_id"
            case skippedBytes = "skipped_bytes"
        }
    }

    init(job: String, isJSON: Bool) {
        self.job = job
        self.isJSON = isJSON
    }

    mutating func print(_ text: Data) throws(Failure) {
        let frame: LogFrame
        do {
            frame = try JSONDecoder().decode(LogFrame.self, from: text)
        } catch {
            throw Failure(code: .failed, message: "batond said something that this batonctl does not understand")
        }
        if let run = frame.run { begin(run) }
        if let bytes = frame.output.flatMap({ Data(base64Encoded: $0) }) { output(Bytes(bytes)) }
        if let skipped = frame.skipped {
            flush()
            if isJSON { say { $0.skippedBytes = skipped } }
            Output.error("batonctl: \(skipped) bytes were skipped: they came faster than they were read")
        }
        if let ended = frame.ended {
            flush()
            if isJSON { say { $0.ended = ended } } else { Output.error("batonctl: run \(escaped(ended)) has ended") }
        }
        if let note = frame.note {
            if isJSON { say { $0.note = note } } else { Output.error("batonctl: " + escaped(note)) }
        }
    }

    private mutating func begin(_ new: LogFrame.Run) {
        flush()
        // Only where it may be taken for the same run's.
        if run != nil, !isJSON { Output.error("batonctl: run \(escaped(new.id)) has started") }
        run = new
    }

    private mutating func output(_ bytes: Bytes) {
        if isJSON {
            bytes.withUnsafeBytes { bytes in
                var rest = bytes
                while let line = cutter.next(of: &rest, { line, _ in Bytes(line) }) { say(line) }
            }
        } else if Output.isTerminal {
            let all = begun + bytes
            let whole = all.count - Self.incomplete(all)
            begun = Bytes(all[whole...])
            Output.followed(Bytes(PrintableText.escaped(all[..<whole], keeping: ["\n", "\t"]).utf8))
        } else {
            Output.followed(bytes)
        }
    }

    /// What is left of a line that has no end.
    private mutating func flush() {
        var line: Bytes?
        cutter.finish { bytes, _ in line = Bytes(bytes) }
        if let line { say(line) }
        if !begun.isEmpty { Output.followed(Bytes(PrintableText.escaped(begun).utf8)) }
        begun = []
    }

    private func say(_ line: Bytes) { say { $0.line = String(decoding: line, as: UTF8.self) } }

    private func say(_ fill: (inout Line) -> Void) {
        var line = Line(job: job, runID: run?.id, fence: run?.fence)
        fill(&line)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A struct of strings and numbers can always be encoded.
        guard let text = try? encoder.encode(line) else { return }
        Output.followed(Bytes((JSONText.plain(Bytes(text)) + "\n").utf8))
    }

    private func escaped(_ text: String) -> String { PrintableText.escaped(text) }

    /// How many bytes at the end are the beginning of a character.
    private static func incomplete(_ bytes: Bytes) -> Int {
        for back in 1...3 where back <= bytes.count {
            let byte = bytes[bytes.count - back]
            if byte & 0xc0 == 0x80 { continue }
            let length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
            return length > back ? back : 0
        }
        return 0
    }
}
