// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import GRDB

/// A lock and its owner record: one row, so that the one cannot be lost without the other.
struct LockRow: Equatable {
    /// The boot whose clock `expires` and `leaseEnds` are on.
    var boot: String
    /// The holder's token. Empty: nobody holds the lock, but its owner did not release it.
    var token: Bytes = []
    /// When the lock runs out, in boot-time microseconds; nil: never.
    var expires: Int64?
    /// The token that was granted the lock under the guard and did not release it (rule S6). Empty: none.
    var owner: Bytes = []
    /// The lease's length in microseconds.
    var timeout: Int64?
    /// Changes with every grant, renewal, extension, adoption, and never comes back.
    var seq: Int64 = 0
    /// When the owner's lease is over.
    var leaseEnds: Int64?

    /// Nil when the lock is free: from the moment at which it ran out. Holders have stopped before.
    func holder(at now: Int64) -> Bytes? {
        if let expires, now >= expires { return nil }
        return token.isEmpty ? nil : token
    }

    /// Whether the owner may still be at work. Its lease is counted on this very clock: past its end it is over.
    func isOwned(at now: Int64) -> Bool {
        !owner.isEmpty && leaseEnds.map { now < $0 } ?? true
    }

    /// Token and number of the owner record: what a waiter compares, and claims with.
    var record: Bytes? { owner.isEmpty ? nil : owner + Bytes(":\(seq)".utf8) }

    static func fetch(_ key: Bytes, in database: Database) throws -> LockRow? {
        let sql = "SELECT boot, token, expires, owner, timeout, seq, lease_ends FROM lock WHERE key = ?"
        return try database.first(sql, key) { row in
            LockRow(
                boot: row.text(0) ?? "", token: row.bytes(1) ?? [], expires: row.integer(2), owner: row.bytes(3) ?? [],
                timeout: row.integer(4), seq: row.integer(5) ?? 0, leaseEnds: row.integer(6))
        }
    }

    func write(_ key: Bytes, in database: Database) throws {
        try database.run(
            """
            INSERT OR REPLACE INTO lock (key, boot, token, expires, owner, timeout, seq, lease_ends)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """, key, boot, token, expires, owner, timeout, seq, leaseEnds)
    }

    static func delete(_ key: Bytes, in database: Database) throws {
        try database.run("DELETE FROM lock WHERE key = ?", key)
    }
}
