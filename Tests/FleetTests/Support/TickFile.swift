// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import BatonTestSupport

/// What the runs of scheduled jobs wrote themselves: a line when they begin, and one when they end.
struct TickFile: Sendable {
    struct Line: Hashable, Sendable {
        /// `begin`, or `end`.
        var event: String
        var job: String
        /// RFC 3339.
        var tick: String
        var attempt: Int
        var node: String
        var run: String

        /// Seconds since 1970.
        var seconds: Int { (try? Date(tick, strategy: .iso8601)).map { Int($0.timeIntervalSince1970) } ?? 0 }
    }

    let path: String

    /// A job file whose runs do this between their two lines.
    func job(_ rest: String, doing work: String = "true") -> String {
        let line = "$BATON_JOB $BATON_TICK $BATON_ATTEMPT $BATON_NODE $BATON_RUN_ID >> \(path)"
        return
            "shell = 'echo begin \(line); \(work); code=$?; echo end \(line); exit $code'\noutput.to = \"none\"\n\(rest)\n"
    }

    func lines(of job: String = "job", _ event: String? = nil) -> [Line] {
        let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 6, words[1] == job, event == nil || words[0] == event, let attempt = Int(words[3])
            else { return nil }
            return Line(event: words[0], job: words[1], tick: words[2], attempt: attempt, node: words[4], run: words[5])
        }
    }

    /// Those that began, in order.
    func begun(_ job: String = "job") -> [Line] { lines(of: job, "begin") }
}
