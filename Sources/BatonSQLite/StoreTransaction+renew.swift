// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    /// A token that is neither ours nor our successor's never renews.
    func renew(_ request: RenewRequest) throws -> RenewReply {
        let epoch = try request.guarding.map { try self.epoch(request.keys.epoch, guarding: $0) }
        let row = try lockRow(request.keys.lock)
        if let row, !row.isOver(at: now), isOurs(row.token, request) {
            guard case .add(let more) = request.change else { return try extend(request, row, epoch) }
            guard let expires = row.expires else { return .lost }
            return try extend(request, row, epoch, to: (expires - now).addingOrMax(more.microseconds))
        }
        guard let epoch else { return .lost }
        // A refusal by a file that does not know its own past is not a "lost" (rule S5).
        let refusal = epoch.nonce == nil ? RenewReply.lost : .unsettled
        guard let notAfter = request.notAfter, now < notAfter else { return refusal }
        // Nobody was granted the lock since: our own row is still there, or the file was replaced.
        let isFree = row.map { ($0.isOver(at: now) || $0.token.isEmpty) && isOurs($0.owner, request) }
        guard isFree ?? (epoch.nonce != nil) else { return refusal }
        guard case .add(let more) = request.change else { return try extend(request, row, epoch) }
        return try extend(request, row, epoch, to: (notAfter - now).addingOrMax(more.microseconds))
    }

    private func isOurs(_ token: Bytes, _ request: RenewRequest) -> Bool {
        // A repeated adoption whose reply was lost finds its own successor.
        token == request.token || (request.successor != nil && token == request.successor?.token)
    }

    /// - Parameter sum: what is left and more, in microseconds; nil: the change says it.
    private func extend(
        _ request: RenewRequest, _ row: LockRow?, _ epoch: Epoch?, to sum: Int64? = nil
    ) throws -> RenewReply {
        var timeout = sum ?? 0
        if sum == nil, case .reset(let whole) = request.change { timeout = whole.microseconds }
        if timeout <= 0 { throw LockError(.refused, "nothing would be left of the lease") }
        if let epoch { try check(.microseconds(timeout), against: epoch) }

        let token = request.successor?.token ?? request.token
        try hold(request.keys.lock, by: token, timeout: timeout, failures: row?.failures ?? 0, after: row)
        if request.fence > 0 { try raiseFence(request.keys.fence, to: request.fence) }
        if let record = request.successor?.holder ?? request.holder {
            try setHolder(record, of: token, request.keys.holder)
        }
        return .renewed(timeToLive: .microseconds(timeout))
    }
}
