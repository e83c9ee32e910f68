// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    /// The order of the checks is that of the model: late, then the epoch, then the lock.
    func acquire(_ request: AcquireRequest) throws -> AcquireReply {
        if let notAfter = request.notAfter, now >= notAfter { return .late }
        if let guarding = request.guarding,
            let unsettled = try settle(request.keys, with: guarding, timeout: request.timeout)
        {
            return unsettled
        }
        let row = try lockRow(request.keys.lock)
        var isOurs = false
        if let row, !row.isOver(at: now) {
            isOurs = request.tokenIsFresh && row.token == request.token
            if !isOurs, let refusal = try refusal(of: request, by: row) { return refusal }
        }
        let mark = try markRow(request.keys.mark)
        // A lock that is ours already was granted before the mark was set; who set it tells its holder.
        if request.heedsMarks, !isOurs, let standing = standing(mark) { return .marked(standing) }
        return .granted(try grant(request, after: row, failures: mark?.failures ?? 0))
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

    private func grant(_ request: AcquireRequest, after row: LockRow?, failures: Int) throws -> AcquireReply.Grant {
        let fence = try request.fence.map { try nextFence(request.keys.fence, floor: $0.floor) }
        try hold(request.keys.lock, by: request.token, timeout: request.timeout?.microseconds, after: row)
        try setHolder(request.holder, of: request.token, request.keys.holder)
        return AcquireReply.Grant(fence: fence, failures: failures)
    }
}
