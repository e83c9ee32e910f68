// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation

@testable import BatonTestSupport

/// What Tests/Interoperation/schedules.py is asked, and what it answers.
enum PythonSchedules {
    enum Question {
        /// The ticks after an instant.
        case ticks(cron: String, zone: String, after: Int64, count: Int = 1, bothDays: Bool = false)
        /// What clocks are ahead of UTC, at each instant.
        case offsets(zone: String, at: [Int64])

        fileprivate var line: [Any] {
            switch self {
            case .ticks(let cron, let zone, let instant, let count, let bothDays):
                [bothDays ? "both" : "next", cron, zone, instant, count]
            case .offsets(let zone, let instants): ["offset", zone] + instants
            }
        }
    }

    /// All answers, in the order of the questions.
    ///
    /// - Throws: when one has no answer.
    static func ask(_ questions: [Question]) async throws -> [[Int64]] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
            .standardized.path
        let python = root + "/.build/python/bin/python"
        guard access(python, X_OK) == 0 else {
            throw TestFailure("croniter is not installed in .build/python: run \".ci/setup test\"")
        }
        let input = try questions.map { question in
            String(decoding: try JSONSerialization.data(withJSONObject: question.line), as: UTF8.self)
        }
        let result = try await run(
            python, ["-I", root + "/Tests/Interoperation/schedules.py"], input: input.joined(separator: "\n"),
            limit: .seconds(600))
        guard result.code == 0 else { throw TestFailure("schedules.py ended with \(result.code): \(result.errors)") }
        let lines = result.output.split(separator: "\n")
        guard lines.count == questions.count else { throw TestFailure("\(lines.count) answers to \(questions.count)") }
        return try zip(lines, questions).map { line, question in
            guard let answer = try? JSONDecoder().decode([Int64].self, from: Data(line.utf8)) else {
                throw TestFailure("\(question): \(line)")
            }
            return answer
        }
    }
}
