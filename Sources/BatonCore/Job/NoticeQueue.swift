// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Which notices are on their way, and which wait: a few at once, and no endless line behind them.
package struct NoticeQueue<Notice: Sendable>: Sendable {
    package enum Answer: Equatable, Sendable {
        /// Begin it now.
        case begin
        /// ``ended()`` will say when.
        case wait
        /// There are too many already.
        case drop
    }

    /// So many at once.
    package static var mostRunning: Int { 4 }
    /// So many behind them.
    package static var mostWaiting: Int { 100 }

    private var running = 0
    private var waiting: [Notice] = []
    private var dropped = 0

    package init() {}

    package var isIdle: Bool { running == 0 && waiting.isEmpty }

    package mutating func add(_ notice: Notice) -> Answer {
        if running < Self.mostRunning {
            running += 1
            return .begin
        }
        if waiting.count < Self.mostWaiting {
            waiting.append(notice)
            return .wait
        }
        dropped += 1
        return .drop
    }

    /// One is done. The one to begin in its place; nil: none waits.
    package mutating func ended() -> Notice? {
        if waiting.isEmpty {
            running -= 1
            return nil
        }
        return waiting.removeFirst()
    }

    /// None of those that wait is begun any more.
    ///
    /// - Returns: how many there were.
    package mutating func clear() -> Int {
        defer { waiting = [] }
        return waiting.count
    }

    /// How many were dropped since this was asked last.
    package mutating func takeDropped() -> Int {
        defer { dropped = 0 }
        return dropped
    }
}
