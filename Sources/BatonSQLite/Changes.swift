// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import GRDB

/// The locks that were announced since the last look.
struct Changes {
    /// So many are kept. Who is further behind rings for every lock.
    static let kept: Int64 = 10_000

    /// Nil: it is not known which.
    let locks: [Bytes]?
    /// Number of the newest one.
    let last: Int64

    /// - Parameter seen: nil: all there ever were.
    init(since seen: Int64?, in database: Database) throws {
        guard let seen else {
            locks = nil
            last = try database.first("SELECT max(number) FROM change") { $0.integer(0) ?? 0 } ?? 0
            return
        }
        var newest = seen
        var changed: [Bytes] = []
        try database.each("SELECT key, number FROM change WHERE number > ? ORDER BY number", seen) { row in
            newest = row.integer(1) ?? newest
            changed.append(row.bytes(0) ?? [])
        }
        locks = newest - seen > Self.kept ? nil : changed
        last = newest
    }
}
