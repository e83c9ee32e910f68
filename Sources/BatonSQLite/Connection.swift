// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import GRDB
import Synchronization

/// How hard a commit is written.
enum Durability: String {
    /// In the write-ahead log, which other processes see; a power loss may undo it.
    case normal = "PRAGMA synchronous = NORMAL"
    /// On the disk.
    case full = "PRAGMA synchronous = FULL"
}

/// What a transaction does to the file.
enum Access {
    case reads
    case writes(Durability)
    /// Writes or not: one that does not waits for no writer, and no writer waits for it.
    case mayWrite(Durability)
}

/// An open connection and the file it belongs to. Used by the database's thread.
final class Connection: Sendable {
    let queue: DatabaseQueue
    let identity: FileIdentity
    /// How hard commits are written at present.
    private let durability = Mutex<Durability?>(nil)

    init(queue: DatabaseQueue, identity: FileIdentity) {
        self.queue = queue
        self.identity = identity
    }

    /// Runs `body` in one transaction, which is rolled back when it throws. With `mayWrite` it may be run twice.
    func transact(_ access: Access, _ body: (Database) throws -> Void) throws {
        try queue.writeWithoutTransaction { database in
            switch access {
            case .reads:
                try database.transact(.deferred, body)
            case .writes(let durability):
                try write(durability, database)
                try database.transact(.immediate, body)
            case .mayWrite(let durability):
                try write(durability, database)
                // The first write takes the file's lock if it is free and what was read is still true; it never waits.
                do { try database.transact(.deferred, body) } catch let error as DatabaseError
                    where error.resultCode == .SQLITE_BUSY
                { try database.transact(.immediate, body) }
            }
        }
    }

    /// This pragma does what it says when it is compiled, so there is no statement to keep.
    private func write(_ durability: Durability, _ database: Database) throws {
        try self.durability.withLock { current in
            if current == durability { return }
            current = nil
            try database.execute(pragma: durability.rawValue)
            current = durability
        }
    }
}
