// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    /// A token that is neither ours nor our successor's never renews.
    func renew(_ request: RenewRequest) throws -> RenewReply {
        let epoch = try request.guarding.map { try self.epoch(request.keys.epoch, guarding: $0) }
        let isUnsettled = epoch?.nonce != nil
        // A refusal by a file that does not know its own past is not a "lost" (rule S5).
        let refusal = isUnsettled ? RenewReply.unsettled : .lost
        // A repeated adoption whose reply was lost finds its own successor.
        let heir = request.successor?.token ?? request.token
        let row = try lockRow(request.keys.lock)

        let remaining: Int64
        if let row, let holder = row.holder(at: now) {
            guard holder == request.token || holder == heir else { return refusal }
            if row.expires == nil, case .add = request.change { return .lost }
            remaining = (row.expires ?? now) - now
        } else {
            guard epoch != nil, let notAfter = request.notAfter, now <= notAfter else { return refusal }
            // Nobody was granted the lock since: our own record is still there, or the file was replaced.
            guard isUnsettled || row?.owner == request.token || row?.owner == heir else { return .lost }
            remaining = notAfter - now
        }

        let timeout =
            switch request.change {
            case .reset(let whole): whole.microseconds
            case .add(let more): remaining.addingOrMax(more.microseconds)
            }
        if timeout <= 0 { throw LockError(.refused, "nothing would be left of the lease") }
        if let epoch { try check(.microseconds(timeout), against: epoch) }

        try hold(request.keys.lock, by: heir, timeout: timeout, guarded: epoch != nil, after: row)
        if request.fence > 0 { try raiseFence(request.keys.fence, to: request.fence) }
        if let run = request.ledger { try learn(run, request.keys) }
        if let record = request.successor?.holder ?? request.holder {
            let last = try holderRow(request.keys.holder)
            if last?.token != heir {
                // Of a run that goes on, the failures before it stay.
                let failures = last?.token == request.token ? last?.failures ?? 0 : 0
                try setHolder(HolderRow(token: heir, record: record, failures: failures), request.keys.holder)
            }
        }
        return .renewed(timeToLive: .microseconds(timeout))
    }
}
