// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import GRDB
import Glibc

/// Opens the database file, and creates it with its tables when there is none.
struct DatabaseOpening {
    let path: String
    /// True when another file was at this path while we had it open: whatever this one says, it has forgotten something.
    let identityIsSuspect: Bool

    /// "Bato" in ASCII, in the file's header: tells our databases from those of other programs.
    private static let applicationID = 0x4261_746F
    private static let schemaVersion = 5

    /// - Parameter limit: how long to wait while another process holds the file's lock, now and in later requests.
    func open(_ limit: TimeLimit) throws -> Connection {
        // Not open(2): closing such a descriptor would drop the locks that SQLite has on the file in this process.
        if mknod(path, S_IFREG | 0o600, 0) != 0, errno != EEXIST {
            throw DatabaseFailure(path: path).lockError(creatingFailedWith: errno)
        }
        let before = FileIdentity(path: path)
        if let name = before.flatMap(NetworkFileSystem.name(of:)) {
            throw LockError(
                .refused, "\(path) is on a network file system (\(name)): it serves one machine, on a local disk")
        }
        var configuration = Configuration()
        configuration.label = "baton"
        configuration.busyMode = .callback { limit.wait(tries: $0) }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.writeWithoutTransaction { database in
            // In one transaction: another process may be creating the tables, and must not be seen half-way.
            try database.inTransaction(.deferred) {
                try check(database)
                return .commit
            }
            try useWriteAheadLog(database, limit)
            try database.inTransaction(.immediate) {
                try check(database)
                try createTables(database)
                try bringUpToDate(database)
                if let before { try StoreTransaction.unsettleCopy(database, opened: before) }
                if identityIsSuspect { try StoreTransaction.unsettleAll(database) }
                return .commit
            }
        }
        guard let identity = FileIdentity(path: path), identity == before else {
            throw LockError(.unreachable, "\(path) was replaced while it was being opened")
        }
        return Connection(queue: queue, identity: identity)
    }

    /// Refuses the database of another program, or of a later Baton, before anything is changed in it.
    private func check(_ database: Database) throws {
        let application = try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        let tables = try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_master") ?? 0
        if application == 0, tables == 0 { return }
        if application != Self.applicationID {
            throw LockError(.refused, "\(path) is the SQLite database of another program, not Baton's")
        }
        if !(1...Self.schemaVersion).contains(version) {
            throw LockError(
                .refused, "\(path) has format \(version); this version of Baton knows format \(Self.schemaVersion)")
        }
    }

    private func useWriteAheadLog(_ database: Database, _ limit: TimeLimit) throws {
        var tries = 0
        while true {
            do {
                let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
                if mode == "wal" { return }
                throw LockError(.refused, "\(path): its file system does not support a write-ahead log")
            } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                // SQLite does not wait for this one by itself.
                tries += 1
                if !limit.wait(tries: tries) { throw error }
            }
        }
    }

    private func createTables(_ database: Database) throws {
        if try Int.fetchOne(database, sql: "PRAGMA application_id") == Self.applicationID { return }
        try database.execute(
            sql: """
                CREATE TABLE lock (
                    key BLOB PRIMARY KEY, boot TEXT NOT NULL, token BLOB NOT NULL, expires INTEGER,
                    owner BLOB NOT NULL, timeout INTEGER, seq INTEGER NOT NULL, lease_ends INTEGER
                ) WITHOUT ROWID;
                CREATE TABLE fence (key BLOB PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
                CREATE TABLE holder (
                    key BLOB PRIMARY KEY, token BLOB NOT NULL, record BLOB NOT NULL, failures INTEGER NOT NULL
                ) WITHOUT ROWID;
                CREATE TABLE mark (
                    key BLOB PRIMARY KEY, kind TEXT NOT NULL, until INTEGER, boot TEXT NOT NULL,
                    failures INTEGER NOT NULL, setter TEXT NOT NULL, wall_until INTEGER
                ) WITHOUT ROWID;
                CREATE TABLE epoch (
                    key BLOB PRIMARY KEY, identity TEXT NOT NULL, nonce BLOB, max_lock_timeout INTEGER NOT NULL
                ) WITHOUT ROWID;
                CREATE TABLE change (key BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
                CREATE UNIQUE INDEX change_number ON change (number);
                \(Self.nodeTable)
                \(Self.ledgerTables)
                PRAGMA application_id = \(Self.applicationID);
                PRAGMA user_version = \(Self.schemaVersion);
                """)
    }

    /// New in format 3.
    private static let nodeTable = """
        CREATE TABLE node (
            prefix TEXT NOT NULL, name TEXT NOT NULL, instance TEXT NOT NULL, record BLOB NOT NULL,
            boot TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (prefix, name)
        );
        """

    /// New in format 4. What is NULL of an entry, or of what was asked for, is NULL altogether: there is none.
    private static let ledgerTables = """
        CREATE TABLE ledger (
            key BLOB PRIMARY KEY, tick INTEGER, attempt INTEGER, manual INTEGER, fence INTEGER, changed INTEGER,
            outcome BLOB, info BLOB, floor INTEGER NOT NULL, asked INTEGER, asker TEXT, call BLOB, pending INTEGER
        ) WITHOUT ROWID;
        CREATE TABLE history (
            key BLOB NOT NULL, number INTEGER NOT NULL, line BLOB NOT NULL, PRIMARY KEY (key, number)
        ) WITHOUT ROWID;
        """

    private func bringUpToDate(_ database: Database) throws {
        let version = try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0
        if version == 1 { try bringToFormat2(database) }
        if version < 3 { try database.execute(sql: Self.nodeTable) }
        if version < 4 { try database.execute(sql: Self.ledgerTables) }
        if version < Self.schemaVersion {
            // New in format 5: a pause outlives the boot.
            try database.execute(
                sql: """
                    ALTER TABLE mark ADD COLUMN wall_until INTEGER;
                    PRAGMA user_version = \(Self.schemaVersion);
                    """)
        }
    }

    /// Format 1 had no end of a lease apart from the lock's, and kept the failures with the lock.
    private func bringToFormat2(_ database: Database) throws {
        try database.execute(
            sql: """
                ALTER TABLE lock ADD COLUMN lease_ends INTEGER;
                ALTER TABLE holder ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
                UPDATE lock SET lease_ends = expires;
                UPDATE holder SET failures = coalesce(
                    (SELECT lock.failures FROM lock WHERE lock.token = holder.token), 0);
                ALTER TABLE lock DROP COLUMN failures;
                """)
    }
}
