// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Which ticks without a run this node is the one to tell of: those of which its own line came into the history.
///
/// Several nodes may ask the store for the same at once, and one of them has it done. Whose it was is not in the ledger, and
/// the answer to it may be lost. But the lines of a request come into the history with it, and name their node.
package struct OmissionNews: Equatable, Sendable {
    private struct Note: Equatable, Sendable {
        var omission: TickPlan.Omission
        var line: Bytes
        /// What the request was to follow.
        var expected: LedgerEntry.Key?
    }

    /// Asked for, and not known to be done or not.
    private var notes: [Note] = []

    /// A store that does not answer is asked again and again, for little else than the same.
    private static let most = 32

    package init() {}

    /// Whether nothing was asked for that may yet have to be told of.
    package var isEmpty: Bool { notes.isEmpty }

    /// The store is asked to write these lines.
    package mutating func asked(
        _ omissions: [TickPlan.Omission], _ lines: [Bytes], expecting expected: LedgerEntry.Key?
    ) {
        for (omission, line) in zip(omissions, lines) {
            let note = Note(omission: omission, line: line, expected: expected)
            if !notes.contains(note) { notes.append(note) }
        }
        notes = notes.suffix(Self.most)
    }

    /// Whether the history says by now what became of something that was asked for.
    package func isDecided(_ entry: LedgerEntry?) -> Bool { notes.contains { $0.expected != entry?.key } }

    /// What this node is to tell of, once: the lock was granted with these lines.
    package mutating func granted(_ lines: [Bytes]) -> [TickPlan.Omission] { take { lines.contains($0.line) } }

    /// What this node is to tell of, once.
    ///
    /// - Parameters:
    ///   - entry: the ledger's, seen before the history was.
    ///   - history: its lines.
    package mutating func found(_ history: [Bytes], _ entry: LedgerEntry?) -> [TickPlan.Omission] {
        defer { notes.removeAll { $0.expected != entry?.key } }
        return take { $0.expected != entry?.key && history.contains($0.line) }
    }

    private mutating func take(where isDone: (Note) -> Bool) -> [TickPlan.Omission] {
        let done = notes.filter(isDone)
        // One line may have been asked for on several views of the ledger.
        notes.removeAll { note in done.contains { $0.line == note.line } }
        var told: Set<Bytes> = []
        return done.filter { told.insert($0.line).inserted }.map(\.omission)
    }
}
