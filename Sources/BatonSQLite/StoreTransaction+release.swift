// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    /// True when the lock was ours. A guarded one is ours even when it ran out, as long as nobody was granted it since.
    mutating func release(_ request: ReleaseRequest) throws -> Bool {
        let (keys, token) = (request.keys, request.token)
        if let record = request.outcome { try conclude(record, keys) }
        let row = try lockRow(keys.lock)
        let holder = row?.holder(at: now)
        let isOwner = request.guarding && row?.owner == token
        if var row, holder == token || isOwner {
            if holder == token { row.token = [] }
            // Without the guard only the lock is given back: its owner, if it has one, did not release it.
            if request.guarding { row.owner = [] }
            if row.token.isEmpty, row.owner.isEmpty {
                try LockRow.delete(keys.lock, in: database)
            } else {
                try row.write(keys.lock, in: database)
            }
        }
        if request.guarding, try holderRow(keys.holder)?.token == token { try setHolder(nil, keys.holder) }
        guard holder == token || (holder == nil && isOwner) else { return false }
        // It was about this run.
        if request.guarding, try markRow(keys.mark)?.kind == .runEnded { try deleteMark(keys) }
        // What an operator said stays in force.
        if let mark = request.mark, try markRow(keys.mark)?.kind.givesWay(to: mark.kind) ?? true {
            try setMark(mark, on: keys)
        }
        try announce(keys)
        return true
    }

    /// What there is to see of a lock.
    func look(at keys: LockKeys, withLedger: Bool) throws -> LockView {
        let holder = try holderRow(keys.holder)
        var view = LockView(
            holder: holder?.record, holderToken: holder?.token, fence: try lastFence(keys.fence),
            mark: standing(try markRow(keys.mark)))
        if let row = try lockRow(keys.lock), let token = row.holder(at: now) {
            view.token = token
            view.timeToLive = row.expires.map { .microseconds($0 - now) }
        }
        if withLedger { view.ledger = try ledger(keys).view }
        return view
    }
}
