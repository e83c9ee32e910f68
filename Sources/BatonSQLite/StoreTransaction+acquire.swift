// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    /// In this order: late, refused, unsettled, ours already, marked, held, orphaned, not by the ledger,
    /// granted.
    func acquire(_ request: AcquireRequest) throws -> AcquireReply {
        if let notAfter = request.notAfter, now > notAfter { return .late }
        let row = try lockRow(request.keys.lock)
        let holder = row?.holder(at: now)
        let isOurs = request.tokenIsFresh && holder == request.token
        let fence = try request.fence.map { wanted in
            let last = try lastFence(request.keys.fence)
            // A wish that has been granted is told from one that has not by a fence that is larger.
            let floor = max(wanted.floor, request.claim?.manual ?? 0)
            return isOurs && last > floor ? last : try nextFence(after: max(last, floor))
        }
        if let guarding = request.guarding, let unsettled = try settle(request.keys, with: guarding) {
            // Whoever is granted first after a loss may never have seen the fence that this one knows of (rule S7).
            if let floor = request.fence?.floor, floor > 0 { try raiseFence(request.keys.fence, to: floor) }
            if let floor = request.claim?.floor { try note(floor: floor, request.keys) }
            return unsettled
        }
        if isOurs {
            if let view = try objection(to: request, isOurs: true) { return .ledger(view) }
            // The reply to the first grant was lost (rule S1): a full lease again, with the same fence.
            let record = try holderRow(request.keys.holder)
            let failures = record?.token == request.token ? record?.failures ?? 0 : 0
            return .granted(try grant(request, fence, failures, after: row))
        }
        let mark = request.heedsMarks ? try markRow(request.keys.mark) : nil
        if let standing = standing(mark) { return .marked(standing) }
        if let row, holder != nil {
            return .held(try sighting(of: row, request, timeToLive: row.expires.map { .microseconds($0 - now) }))
        }
        if let guarding = request.guarding, let row, row.isOwned(at: now), row.owner != request.token,
            row.record != guarding.claim
        {
            return .orphaned(try sighting(of: row, request, timeToLive: nil))
        }
        let wasOurs = request.guarding != nil && row?.owner == request.token
        if let view = try objection(to: request, isOurs: wasOurs) { return .ledger(view) }
        // A mark whose time is over is used up by this grant.
        if mark != nil { try deleteMark(request.keys) }
        return .granted(try grant(request, fence, mark?.failures ?? 0, after: row))
    }

    private func grant(
        _ request: AcquireRequest, _ fence: Int64?, _ failures: Int, after row: LockRow?
    ) throws -> AcquireReply.Grant {
        let keys = request.keys
        if let fence {
            try raiseFence(keys.fence, to: fence)
            if let claim = request.claim { try enter(claim, fence: fence, keys) }
        }
        let timeout = request.timeout?.microseconds
        try hold(keys.lock, by: request.token, timeout: timeout, guarded: request.guarding != nil, after: row)
        if let record = request.holder {
            try setHolder(HolderRow(token: request.token, record: record, failures: failures), keys.holder)
        }
        return AcquireReply.Grant(fence: fence, failures: failures)
    }

    /// Of the owner a waiter learns only under the guard, and by a plain request nothing but the lock.
    private func sighting(
        of row: LockRow, _ request: AcquireRequest, timeToLive: Duration?
    ) throws -> Sighting {
        let isGuarded = request.guarding != nil && !row.owner.isEmpty
        return Sighting(
            timeToLive: timeToLive, owner: isGuarded ? row.record : nil,
            timeout: isGuarded ? row.timeout.map { .microseconds($0) } : nil,
            fence: request.isPlain ? 0 : try lastFence(request.keys.fence))
    }
}
