// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Foundation
import GRDB

extension StoreTransaction {
    /// True when the lock was ours. A guarded one is ours even when it ran out, as long as nobody was granted it since.
    mutating func release(_ request: ReleaseRequest) throws -> Bool {
        guard let row = try lockRow(request.keys.lock) else { return false }
        let isHeld = row.token == request.token && !row.isOver(at: now)
        guard isHeld || (request.guarding && row.owner == request.token) else { return false }
        try LockRow.delete(request.keys.lock, in: database)
        try setHolder(nil, of: request.token, request.keys.holder)
        // What an operator said stays in force.
        if let mark = request.mark, try markRow(request.keys.mark)?.kind != .heldDown {
            try setMark(mark, on: request.keys)
        }
        try announce(request.keys)
        return true
    }

    /// What there is to see of a lock.
    func look(at keys: LockKeys) throws -> LockView {
        var view = LockView(fence: try lastFence(keys.fence), mark: standing(try markRow(keys.mark)))
        if let row = try lockRow(keys.lock), !row.isOver(at: now), !row.token.isEmpty {
            view.token = row.token
            view.timeToLive = row.expires.map { .microseconds($0 - now) }
        }
        let statement = try database.cachedStatement(sql: "SELECT token, record FROM holder WHERE key = ?")
        if let row = try Row.fetchOne(statement, arguments: [Data(keys.holder)]) {
            view.holderToken = (row[0] as Data?).map { Bytes($0) }
            view.holder = (row[1] as Data?).map { Bytes($0) }
        }
        return view
    }
}
