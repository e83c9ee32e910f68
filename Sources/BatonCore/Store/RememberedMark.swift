// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A mark as a node keeps it on disk. When it ends is counted by the node's wall clock, which a reboot does not stop.
package struct RememberedMark: Equatable, Sendable {
    private var mark: Mark
    /// In microseconds since 1970; nil: when it is cleared.
    private var ends: Int64?

    /// Nil for a mark that is over in a moment by itself: a restart delay, or the stop of one run.
    ///
    /// - Parameter now: the wall clock's microseconds.
    package init?(_ mark: Mark, now: Int64) {
        switch mark.kind {
        case .heldDown, .paused, .finished: break
        case .coolingDown, .runEnded: return nil
        }
        self.mark = mark
        self.mark.remaining = nil
        ends = mark.remaining.map { now + $0.microseconds }
    }

    /// With what is left of it; nil: it is over.
    package func mark(at now: Int64) -> Mark? {
        guard let ends else { return mark }
        if ends <= now { return nil }
        var mark = mark
        mark.remaining = .microseconds(ends - now)
        return mark
    }

    /// Whether it is this one that was seen before: its end is read a little differently each time.
    package func isSame(as other: RememberedMark) -> Bool {
        guard mark == other.mark else { return false }
        guard let ends, let other = other.ends else { return ends == nil && other.ends == nil }
        return abs(ends - other) < 5_000_000
    }

    // MARK: The file

    /// Four lines: the kind, the end or nothing, the failures, by whom.
    package func encode() -> Bytes {
        let lines = [mark.kind.rawValue, ends.map { "\($0)" } ?? "", "\(mark.failures)", mark.by]
        return Bytes((lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Nil for what is none. A kind that this version does not know holds the job down, as a store's does.
    package init?(decoding bytes: Bytes) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard lines.count == 5, lines[4].isEmpty, !lines[0].isEmpty, let failures = Int(lines[2]), failures >= 0
        else { return nil }
        let ends = Int64(lines[1])
        guard ends != nil || lines[1].isEmpty else { return nil }
        mark = Mark(kind: Mark.Kind(rawValue: lines[0]) ?? .heldDown, failures: failures, by: lines[3])
        self.ends = ends
    }
}
