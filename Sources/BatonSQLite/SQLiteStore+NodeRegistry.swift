// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
package import BatonLock

extension SQLiteStore: NodeRegistry {
    // A power loss that undoes one of these is harmless: the boot id changes with it, and voids every record.

    /// Says that a node is alive.
    package func register(_ request: RegisterRequest, timeout: Duration) async throws(LockError) -> RegisterReply {
        try request.check()
        return try await file.transact(about: nil, timeout: timeout, .writes(.normal)) { try $0.register(request) }
    }

    /// Takes a node's record away, if it is still this daemon's.
    package func unregister(
        _ keys: NodeKeys, instance: String, timeout: Duration
    ) async throws(LockError) -> Bool {
        try await file.transact(about: nil, timeout: timeout, .writes(.normal)) {
            try $0.unregister(keys, instance: instance)
        }
    }

    /// All live nodes; waits for no writer.
    package func nodes(prefix: String, timeout: Duration) async throws(LockError) -> [RegisteredNode] {
        try await file.transact(about: nil, timeout: timeout, .reads) { try $0.nodes(prefix: prefix) }
    }
}
