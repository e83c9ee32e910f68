// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

extension StoreTransaction {
    /// A mark as it is kept. One whose time is over stays: it knows how many runs failed in a row.
    struct MarkRow {
        var kind: Mark.Kind
        /// Boot-time microseconds; nil: until cleared.
        var until: Int64?
        var boot: String
        /// The same by the wall clock, for a mark that outlives its boot.
        var wallUntil: Int64?
        var failures: Int
        var setter: String
    }

    func markRow(_ key: Bytes) throws -> MarkRow? {
        try database.first(
            "SELECT kind, until, boot, failures, setter, wall_until FROM mark WHERE key = ?", key
        ) { row in
            MarkRow(
                // A kind that this version does not know holds the job down: nothing starts by a misunderstanding.
                kind: Mark.Kind(rawValue: row.text(0) ?? "") ?? .heldDown, until: row.integer(1),
                boot: row.text(2) ?? "", wallUntil: row.integer(5), failures: Int(row.integer(3) ?? 0),
                setter: row.text(4) ?? "")
        }
    }

    /// The mark, if it still keeps the lock from being granted. One with an end, of another boot, is over, unless it is an
    /// operator's.
    func standing(_ row: MarkRow?) -> Mark? {
        guard let row else { return nil }
        guard let until = row.until else {
            return Mark(kind: row.kind, remaining: nil, failures: row.failures, by: row.setter)
        }
        let left = row.boot == bootID ? until - now : (row.wallUntil ?? wallMicroseconds) - wallMicroseconds
        if left <= 0 { return nil }
        return Mark(kind: row.kind, remaining: .microseconds(left), failures: row.failures, by: row.setter)
    }

    /// Sets a mark that somebody remembers, if there is none and the file does not know its own past.
    mutating func restoreMark(_ mark: Mark, on keys: LockKeys) throws -> Bool {
        let isSettled = try database.first("SELECT nonce FROM epoch WHERE key = ?", keys.epoch) { $0.bytes(0) == nil }
        if isSettled == true { return false }
        if try markRow(keys.mark) != nil { return false }
        // What runs was started after that mark was cleared.
        if mark.outlivesNoRun, try lockRow(keys.lock)?.holder(at: now) != nil { return false }
        try setMark(mark, on: keys)
        try announce(keys)
        return true
    }

    func deleteMark(_ keys: LockKeys) throws {
        try database.run("DELETE FROM mark WHERE key = ?", keys.mark)
    }

    func setMark(_ mark: Mark?, on keys: LockKeys) throws {
        // One that is over stays, so that nobody who remembers the one before puts it back.
        let mark = mark ?? Mark.cleared
        let until = mark.remaining.map { now.addingOrMax($0.microseconds) }
        let outlives = mark.kind == .paused || mark.kind == .heldDown
        let wallUntil = outlives ? mark.remaining.map { wallMicroseconds.addingOrMax($0.microseconds) } : nil
        try database.run(
            """
            INSERT OR REPLACE INTO mark (key, kind, until, boot, failures, setter, wall_until)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """, keys.mark, mark.kind.rawValue, until, bootID ?? "", Int64(mark.failures), mark.by, wallUntil)
    }
}
