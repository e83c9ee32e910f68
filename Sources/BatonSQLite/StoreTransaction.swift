// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Foundation
import GRDB

/// One transaction on the store's tables. The requests are in its extensions.
struct StoreTransaction {
    let database: Database
    /// The clock of leases in microseconds, read after the file's lock was ours.
    let now: Int64
    /// This boot, or nil when the kernel does not name it.
    let bootID: String?
    /// The size of a fence.
    let wallMicroseconds: Int64
    /// Which file this is.
    let identity: String
    /// Whether somebody is to be told after the commit.
    private(set) var announced = false

    init(database: Database, now: Int64, bootID: String?, wallMicroseconds: Int64, identity: String) {
        self.database = database
        self.now = now
        self.bootID = bootID
        self.wallMicroseconds = wallMicroseconds
        self.identity = identity
    }

    // MARK: - The lock's row

    /// The row of a lock; nil when nobody holds it. A row of another boot is void (rule N9).
    func lockRow(_ key: Bytes) throws -> LockRow? {
        guard let row = try LockRow.fetch(key, in: database), row.boot == bootID else { return nil }
        return row
    }

    /// Makes `token` the holder from now on, and returns the row as it is now.
    @discardableResult
    func hold(
        _ key: Bytes, by token: Bytes, timeout: Int64?, failures: Int, after previous: LockRow?
    ) throws -> LockRow {
        guard let bootID else {
            throw LockError(.refused, "the kernel does not name this boot: leases would outlive a reboot")
        }
        // Every change has a new number (rule S6), and a new token starts where the last one ended.
        let row = LockRow(
            token: token, owner: token, boot: bootID, expires: timeout.map { now.addingOrMax($0) }, timeout: timeout,
            seq: (previous?.seq ?? 0) &+ 1, failures: failures)
        try row.write(key, in: database)
        return row
    }

    // MARK: - Fences

    func lastFence(_ key: Bytes) throws -> Int64 {
        try Int64.fetchOne(
            database.cachedStatement(sql: "SELECT value FROM fence WHERE key = ?"), arguments: [Data(key)]) ?? 0
    }

    /// Keeps `fence` as the last one, if it is larger.
    func raiseFence(_ key: Bytes, to fence: Int64) throws {
        try database.cachedStatement(
            sql: """
                INSERT INTO fence (key, value) VALUES (?, ?)
                ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)
                """
        ).execute(arguments: [Data(key), fence])
    }

    /// `max(last + 1, wall-clock µs, floor + 1)` (rule S7), kept as the last one.
    func nextFence(_ key: Bytes, floor: Int64) throws -> Int64 {
        let known = max(try lastFence(key), floor)
        if known == .max { throw LockError(.refused, "the fence is the largest number there is, and cannot grow") }
        let fence = max(known + 1, wallMicroseconds)
        try raiseFence(key, to: fence)
        return fence
    }

    // MARK: - The holder's record

    func setHolder(_ record: Bytes?, of token: Bytes, _ key: Bytes) throws {
        guard let record else {
            try database.cachedStatement(sql: "DELETE FROM holder WHERE key = ?").execute(arguments: [Data(key)])
            return
        }
        try database.cachedStatement(sql: "INSERT OR REPLACE INTO holder (key, token, record) VALUES (?, ?, ?)")
            .execute(arguments: [Data(key), Data(token), Data(record)])
    }

    // MARK: - Announcements

    /// Rings every waiter for this lock, in every process, after the commit.
    mutating func announce(_ keys: LockKeys) throws {
        try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO change (key, number)
                VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM change))
                """
        ).execute(arguments: [Data(keys.lock)])
        // Locks of a library come and go; who is so far behind is rung for every lock.
        try database.cachedStatement(sql: "DELETE FROM change WHERE number <= (SELECT max(number) FROM change) - ?")
            .execute(arguments: [Changes.kept])
        announced = true
    }
}

extension Int64 {
    /// The sum, or the largest number where it would overflow.
    func addingOrMax(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }
}
