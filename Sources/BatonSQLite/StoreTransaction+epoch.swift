// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import GRDB

/// Rules S3 and S4: a file that does not know its own past grants nothing until `max_lock_timeout` was waited for.
extension StoreTransaction {
    /// What the file knows of its past, brought up to date.
    struct Epoch {
        /// Nil when the file is settled.
        var nonce: Bytes?
        var maxLockTimeout: Int64
    }

    /// Reads the epoch record; writes one with a fresh nonce when there is none.
    ///
    /// A reboot is no reason to wait: nothing that held a lock before it can still run.
    func epoch(_ key: Bytes, guarding: AcquireRequest.Guarding) throws -> Epoch {
        let known = try database.first("SELECT nonce, max_lock_timeout FROM epoch WHERE key = ?", key) { row in
            Epoch(nonce: row.bytes(0), maxLockTimeout: row.integer(1) ?? 0)
        }
        if let known { return known }
        let epoch = Epoch(nonce: freshNonce(), maxLockTimeout: guarding.maxLockTimeout.microseconds)
        try write(epoch, key)
        return epoch
    }

    /// What keeps a guarded acquire from being granted; nil when the file is settled, or is by this request.
    func settle(_ keys: LockKeys, with guarding: AcquireRequest.Guarding) throws -> AcquireReply? {
        var epoch = try epoch(keys.epoch, guarding: guarding)
        if epoch.maxLockTimeout != guarding.maxLockTimeout.microseconds {
            throw LockError(
                .refused,
                """
                this store was set up with max_lock_timeout = \(Duration.microseconds(epoch.maxLockTimeout)), \
                this node is configured with \(guarding.maxLockTimeout): they must be the same. To change it, stop \
                every batond that uses the store and delete its file
                """)
        }
        guard let nonce = epoch.nonce else { return nil }
        if guarding.nonce != nonce {
            return .unsettled(nonce: nonce, wait: .microseconds(epoch.maxLockTimeout))
        }
        epoch.nonce = nil
        try write(epoch, keys.epoch)
        return nil
    }

    /// Refuses a lease that a new store would not wait long enough for.
    func check(_ timeout: Duration, against epoch: Epoch) throws {
        if timeout.microseconds > epoch.maxLockTimeout {
            throw LockError(
                .refused,
                """
                a lease of \(timeout) is longer than max_lock_timeout = \(Duration.microseconds(epoch.maxLockTimeout))
                """)
        }
    }

    /// Begins every wait anew if this file was copied from the one that its records name (rule S3).
    ///
    /// At once, not when a record is next needed: by then a third file may have the number of the first.
    static func unsettleCopy(_ database: Database, opened file: FileIdentity) throws {
        try database.run(
            "UPDATE epoch SET identity = ?, nonce = randomblob(16) WHERE identity <> ?", file.description,
            file.description)
    }

    /// Makes everyone wait: this file took the place of another one. Who waits already need not begin again.
    static func unsettleAll(_ database: Database) throws {
        try database.run("UPDATE epoch SET nonce = randomblob(16) WHERE nonce IS NULL")
    }

    private func write(_ epoch: Epoch, _ key: Bytes) throws {
        try database.run(
            "INSERT OR REPLACE INTO epoch (key, identity, nonce, max_lock_timeout) VALUES (?, ?, ?, ?)", key,
            file.description, epoch.nonce, epoch.maxLockTimeout)
    }

    private func freshNonce() -> Bytes {
        var generator = SystemRandomNumberGenerator()
        return (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
