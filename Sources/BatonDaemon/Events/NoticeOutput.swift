// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// What a command of `[notify]` prints, line by line, as far as that is worth being logged.
struct NoticeOutput {
    private var cutter = LineCutter()
    private var count = 0
    private let limit: Int
    private let say: (String) -> Void

    /// A longer line is cut.
    private static let longest = 1000

    /// - Parameters:
    ///   - limit: so many lines are said, and then how many there were.
    ///   - say: is given each line.
    init(limit: Int, say: @escaping (String) -> Void) {
        self.limit = limit
        self.say = say
    }

    mutating func take(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while let line = cutter.next(of: &rest, { line, _ in Self.text(line) }) { add(line) }
    }

    mutating func finish() {
        var last: String?
        cutter.finish { line, _ in last = Self.text(line) }
        if let last { add(last) }
        if count > limit { say("(\(count - limit) more lines)") }
    }

    private mutating func add(_ line: String) {
        count += 1
        if count <= limit { say(line) }
    }

    private static func text(_ line: UnsafeRawBufferPointer) -> String {
        String(decoding: line.prefix(longest), as: UTF8.self) + (line.count > longest ? "…" : "")
    }
}
