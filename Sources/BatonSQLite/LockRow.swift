// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import GRDB

/// A lock and its owner record: one row, so that the one cannot be lost without the other.
struct LockRow: Equatable {
    /// The holder's token. Empty: somebody emptied it by hand.
    var token: Bytes
    /// The token that was granted and not released (rule S6).
    var owner: Bytes
    /// The boot whose clock `expires` is on.
    var boot: String
    /// Boot-time microseconds; nil: never.
    var expires: Int64?
    /// The lease's length in microseconds; nil: it never expires.
    var timeout: Int64?
    /// Grows with every grant, renewal, extension, adoption.
    var seq: Int64
    /// Runs that failed in a row before this grant: a repeated acquire is told so again.
    var failures = 0

    /// True from the moment at which others may be granted the lock. Holders have stopped before.
    func isOver(at now: Int64) -> Bool {
        guard let expires else { return false }
        return now >= expires
    }

    /// Token and number of the owner record: what a waiter compares, and claims with.
    var record: Bytes { owner + Bytes(":\(seq)".utf8) }

    func sighting(at now: Int64, fence: Int64, guarded: Bool) -> Sighting {
        Sighting(
            timeToLive: token.isEmpty ? nil : expires.map { .microseconds($0 - now) },
            owner: guarded ? record : nil, timeout: timeout.map { .microseconds($0) }, fence: fence)
    }

    static func fetch(_ key: Bytes, in database: Database) throws -> LockRow? {
        let statement = try database.cachedStatement(
            sql: "SELECT token, owner, boot, expires, timeout, seq, failures FROM lock WHERE key = ?")
        guard let row = try Row.fetchOne(statement, arguments: [Data(key)]) else { return nil }
        return LockRow(
            token: Bytes(row[0] as Data? ?? Data()), owner: Bytes(row[1] as Data? ?? Data()),
            boot: row[2] as String? ?? "", expires: row[3], timeout: row[4], seq: row[5] as Int64? ?? 0,
            failures: row[6] as Int? ?? 0)
    }

    func write(_ key: Bytes, in database: Database) throws {
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO lock (key, token, owner, boot, expires, timeout, seq, failures)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
        ).execute(arguments: [Data(key), Data(token), Data(owner), boot, expires, timeout, seq, failures])
    }

    static func delete(_ key: Bytes, in database: Database) throws {
        try database.cachedStatement(sql: "DELETE FROM lock WHERE key = ?").execute(arguments: [Data(key)])
    }
}
