// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    /// In this order: late, unsettled, ours already, marked, held, orphaned, granted.
    func acquire(_ request: AcquireRequest) throws -> AcquireReply {
        if let notAfter = request.notAfter, now >= notAfter { return .late }
        if let guarding = request.guarding,
            let unsettled = try settle(request.keys, with: guarding, timeout: request.timeout)
        {
            return unsettled
        }
        var row = try lockRow(request.keys.lock)
        if let found = row, found.isOver(at: now) { row = nil }
        if let row, request.tokenIsFresh, row.token == request.token { return .granted(try grantAgain(request, row)) }

        let mark = request.heedsMarks ? try markRow(request.keys.mark) : nil
        if let standing = standing(mark) { return .marked(standing) }
        if let row, let refusal = try refusal(of: request, by: row) { return refusal }
        // A mark whose time is over is used up by this grant.
        if mark != nil { try setMark(nil, on: request.keys) }
        return .granted(try grant(request, failures: mark?.failures ?? 0))
    }

    /// Why a row that is not over keeps this request from being granted; nil when it does not.
    private func refusal(of request: AcquireRequest, by row: LockRow) throws -> AcquireReply? {
        let guarded = request.guarding != nil
        let sighting = row.sighting(at: now, fence: try lastFence(request.keys.fence), guarded: guarded)
        if !row.token.isEmpty { return .held(sighting) }
        // Emptied by hand. Its owner never released it, and may be at work until its lease ends (rule S6).
        let isClaimed = request.guarding?.claim == row.record || row.owner == request.token
        return !guarded || isClaimed ? nil : .orphaned(sighting)
    }

    private func grant(_ request: AcquireRequest, failures: Int) throws -> AcquireReply.Grant {
        let fence = try request.fence.map { try nextFence(request.keys.fence, floor: $0.floor) }
        // An old row, over or of another boot, only lends its number.
        let previous = try LockRow.fetch(request.keys.lock, in: database)
        let timeout = request.timeout?.microseconds
        try hold(request.keys.lock, by: request.token, timeout: timeout, failures: failures, after: previous)
        try setHolder(request.holder, of: request.token, request.keys.holder)
        return AcquireReply.Grant(fence: fence, failures: failures)
    }

    /// The reply to the first grant was lost (rule S1): a full lease again, with the same fence.
    private func grantAgain(_ request: AcquireRequest, _ row: LockRow) throws -> AcquireReply.Grant {
        var fence: Int64?
        if let wanted = request.fence {
            let last = try lastFence(request.keys.fence)
            fence = last > wanted.floor ? last : try nextFence(request.keys.fence, floor: wanted.floor)
        }
        let timeout = request.timeout?.microseconds
        try hold(request.keys.lock, by: request.token, timeout: timeout, failures: row.failures, after: row)
        try setHolder(request.holder, of: request.token, request.keys.holder)
        return AcquireReply.Grant(fence: fence, failures: row.failures)
    }
}
