// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One line of the answer to `batonctl logs -f`: each has one of these keys. One without any only says that both sides are
/// still there.
package struct LogFrame: Codable, Equatable, Sendable {
    /// The output of this run comes next.
    package var run: Run?
    /// Output in base64: it need not be text, nor end with a line.
    package var output: String?
    /// So many bytes were not shown: the reader was slower than the workload.
    package var skipped: UInt64?
    /// This run is over, and all of its output was shown.
    package var ended: String?
    /// Something to say to who reads.
    package var note: String?

    package struct Run: Codable, Equatable, Sendable {
        package var id: String
        package var fence: Int64
    }

    /// A sign of life.
    package init() {}

    package static func run(_ id: String, fence: Int64) -> LogFrame {
        var frame = LogFrame()
        frame.run = Run(id: id, fence: fence)
        return frame
    }

    package static func output(base64: String) -> LogFrame {
        var frame = LogFrame()
        frame.output = base64
        return frame
    }

    package static func skipped(_ bytes: UInt64) -> LogFrame {
        var frame = LogFrame()
        frame.skipped = bytes
        return frame
    }

    package static func ended(_ runID: String) -> LogFrame {
        var frame = LogFrame()
        frame.ended = runID
        return frame
    }

    package static func note(_ text: String) -> LogFrame {
        var frame = LogFrame()
        frame.note = text
        return frame
    }
}
