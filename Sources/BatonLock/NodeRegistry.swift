// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// Where the nodes of a fleet find each other: kept by the same stores as the locks, and for people only. Who may run
/// what is decided by locks.
///
/// Each request is one atomic step, as those of ``LockStore`` are, and fails as they do.
package protocol NodeRegistry: Sendable {
    /// Says that a node is alive. That another daemon has its name is an answer, not an error.
    func register(_ request: RegisterRequest, timeout: Duration) async throws(LockError) -> RegisterReply

    /// Takes a node's record away, if it is still this daemon's; true when it was.
    func unregister(_ keys: NodeKeys, instance: String, timeout: Duration) async throws(LockError) -> Bool

    /// All live nodes, by name. One that comes or goes meanwhile may be among them or not.
    func nodes(prefix: String, timeout: Duration) async throws(LockError) -> [RegisteredNode]
}

extension RegisterRequest {
    /// A much longer record could not be read again: a reply has at most 1 MiB. This is that of 10,000 jobs.
    package static let longestRecord = 500_000

    /// - Throws: `invalidArgument` for what no store can keep apart.
    package func check() throws(LockError) {
        for text in [keys.name, instance] where text.isEmpty || text.utf8.contains(UInt8(ascii: "\n")) {
            throw LockError(.invalidArgument, "a node's name and its instance are one line each, and not empty")
        }
        if let record, record.count > Self.longestRecord {
            throw LockError(
                .invalidArgument, "a record of a node has at most \(Self.longestRecord) bytes, not \(record.count)")
        }
        if timeToLive < .milliseconds(1) {
            throw LockError(.invalidArgument, "a record of a node cannot be kept for \(timeToLive)")
        }
    }
}
