// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a job's holder writes beside the lock for everyone else: who it is, and since when.
package struct HolderRecord: Equatable, Sendable {
    package var node: String
    package var runID: String
    /// RFC 3339, UTC, by the holder's clock: for people only.
    package var since: String

    package init(node: String, runID: String, since: String) {
        self.node = node
        self.runID = runID
        self.since = since
    }

    /// Version, node, run id, since: one line each.
    package func encode() -> Bytes {
        Bytes("1\n\(node)\n\(runID)\n\(since)".utf8)
    }

    /// Nil when it is something else: a foreign client's, or a newer version's.
    package init?(decoding bytes: Bytes) {
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 4, lines[0] == "1" else { return nil }
        node = String(lines[1])
        runID = String(lines[2])
        since = String(lines[3])
    }
}
