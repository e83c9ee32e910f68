// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import GRDB

/// The locks that were announced since the last look.
struct Changes {
    /// So many are kept. Who is further behind rings for every lock.
    static let kept: Int64 = 10_000

    /// Nil: too many to know.
    let locks: [Bytes]?
    /// Number of the newest one.
    let last: Int64

    init(since seen: Int64, in database: Database) throws {
        var newest = seen
        var changed: [Bytes] = []
        let rows = try Row.fetchCursor(
            database.cachedStatement(sql: "SELECT key, number FROM change WHERE number > ? ORDER BY number"),
            arguments: [seen])
        while let row = try rows.next() {
            newest = row[1] as Int64? ?? newest
            changed.append(Bytes(row[0] as Data? ?? Data()))
        }
        locks = newest - seen > Self.kept ? nil : changed
        last = newest
    }
}
