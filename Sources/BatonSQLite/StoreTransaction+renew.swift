// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

extension StoreTransaction {
    func renew(_ request: RenewRequest) throws -> RenewReply {
        let epoch = try request.guarding.map { try self.epoch(request.keys.epoch, guarding: $0) }
        let row = try lockRow(request.keys.lock)
        if let row, !row.isOver(at: now), isOurs(row.token, request) {
            guard let timeout = try timeout(after: request.change, of: row) else { return .lost }
            return try extend(request, row, to: timeout, epoch)
        }
        guard let epoch else { return .lost }
        // A refusal by a file that does not know its own past is not a "lost" (rule S5).
        let refusal = epoch.nonce == nil ? RenewReply.lost : .unsettled
        if let notAfter = request.notAfter, now >= notAfter { return refusal }
        // Nobody was granted the lock since: our own row is still there, or the file was replaced.
        let mayReturn = row.map { ($0.isOver(at: now) || $0.token.isEmpty) && isOurs($0.owner, request) }
        guard mayReturn ?? (epoch.nonce != nil), case .reset(let timeout) = request.change else { return refusal }
        return try extend(request, row, to: timeout.microseconds, epoch)
    }

    private func isOurs(_ token: Bytes, _ request: RenewRequest) -> Bool {
        // A repeated adoption whose reply was lost finds its own successor.
        token == request.token || (request.successor != nil && token == request.successor?.token)
    }

    /// The lease that the change leads to, in microseconds from now; nil when there is none to add to.
    private func timeout(after change: RenewRequest.Change, of row: LockRow) throws -> Int64? {
        let timeout: Int64
        switch change {
        case .reset(let whole): timeout = whole.microseconds
        case .add(let more):
            guard let expires = row.expires else { return nil }
            timeout = (expires - now).addingOrMax(more.microseconds)
        }
        if timeout <= 0 { throw LockError(.refused, "nothing would be left of the lease") }
        return timeout
    }

    private func extend(
        _ request: RenewRequest, _ row: LockRow?, to timeout: Int64, _ epoch: Epoch?
    ) throws -> RenewReply {
        if timeout <= 0 { throw LockError(.refused, "nothing would be left of the lease") }
        if let epoch { try check(.microseconds(timeout), against: epoch) }
        let token = request.successor?.token ?? request.token
        try hold(request.keys.lock, by: token, timeout: timeout, after: row)
        if let successor = request.successor {
            try setHolder(successor.holder, of: successor.token, request.keys.holder)
        }
        return .renewed(timeToLive: .microseconds(timeout))
    }
}
