// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
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
    let file: FileIdentity
    /// Whether somebody is to be told after the commit.
    private(set) var announced = false

    init(database: Database, now: Int64, bootID: String?, wallMicroseconds: Int64, file: FileIdentity) {
        self.database = database
        self.now = now
        self.bootID = bootID
        self.wallMicroseconds = wallMicroseconds
        self.file = file
    }

    // MARK: - The lock's row

    /// The row of a lock; nil when nobody holds it. A row of another boot is void (rule N9).
    func lockRow(_ key: Bytes) throws -> LockRow? {
        guard let row = try LockRow.fetch(key, in: database), row.boot == bootID else { return nil }
        return row
    }

    /// Makes `token` the holder from now on, and under the guard the owner as well.
    ///
    /// - Parameter previous: the row as it is.
    func hold(_ key: Bytes, by token: Bytes, timeout: Int64?, guarded: Bool, after previous: LockRow?) throws {
        guard let bootID else {
            throw LockError(.refused, "the kernel does not name this boot: leases would outlive a reboot")
        }
        var row = previous ?? LockRow(boot: bootID)
        row.token = token
        row.expires = timeout.map { now.addingOrMax($0) }
        if guarded {
            row.owner = token
            row.timeout = timeout
            // Not a count: the row goes away with a release, and the record of a later grant must be another (S6).
            row.seq = .random(in: .min ... .max)
            row.leaseEnds = row.expires
        }
        try row.write(key, in: database)
    }

    // MARK: - Fences

    func lastFence(_ key: Bytes) throws -> Int64 {
        try database.first("SELECT value FROM fence WHERE key = ?", key) { $0.integer(0) ?? 0 } ?? 0
    }

    /// Keeps `fence` as the last one, if it is larger.
    func raiseFence(_ key: Bytes, to fence: Int64) throws {
        try database.run(
            """
            INSERT INTO fence (key, value) VALUES (?, ?)
            ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)
            """, key, fence)
    }

    /// `max(last + 1, wall-clock µs, floor + 1)` (rule S7).
    func nextFence(after known: Int64) throws -> Int64 {
        let largest = AcquireRequest.FenceRequest.largest
        if known >= largest || wallMicroseconds > largest {
            throw LockError(.refused, "the fence is the largest number there is, and cannot grow")
        }
        return max(known + 1, wallMicroseconds)
    }

    // MARK: - The holder's record

    /// Who holds the lock, for people, and what a repeated acquire is told again.
    struct HolderRow {
        var token: Bytes
        var record: Bytes
        var failures: Int
    }

    func holderRow(_ key: Bytes) throws -> HolderRow? {
        try database.first("SELECT token, record, failures FROM holder WHERE key = ?", key) { row in
            HolderRow(
                token: row.bytes(0) ?? [], record: row.bytes(1) ?? [], failures: Int(row.integer(2) ?? 0))
        }
    }

    func setHolder(_ row: HolderRow?, _ key: Bytes) throws {
        guard let row else {
            return try database.run("DELETE FROM holder WHERE key = ?", key)
        }
        try database.run(
            "INSERT OR REPLACE INTO holder (key, token, record, failures) VALUES (?, ?, ?, ?)", key, row.token,
            row.record, Int64(row.failures))
    }

    // MARK: - Announcements

    /// Rings every waiter for this lock, in every process, after the commit.
    mutating func announce(_ keys: LockKeys) throws {
        try database.run(
            """
            INSERT OR REPLACE INTO change (key, number)
            VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM change))
            """, keys.lock)
        // Locks of a library come and go; who is so far behind is rung for every lock.
        try database.run("DELETE FROM change WHERE number <= (SELECT max(number) FROM change) - ?", Changes.kept)
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
