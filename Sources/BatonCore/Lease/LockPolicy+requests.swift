// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What the holder of a lock sends.
extension LockPolicy {
    /// Renews, extends, puts back, or swaps the token.
    ///
    /// - Parameters:
    ///   - deadline: the lease's end; nil: it is not known, and a vanished lock is not put back.
    ///   - serverTime: the store's time now, as far as it is known.
    package func renewal(
        of keys: LockKeys, token: Bytes, change: RenewRequest.Change? = nil, deadline: Instant?, fence: Int64?,
        holder: Bytes?, successor: RenewRequest.Successor? = nil, serverTime: Int64?, at now: Instant
    ) -> RenewRequest {
        var request = RenewRequest(keys: keys, token: token, change: change ?? .reset(timing.timeout))
        request.successor = successor
        request.guarding = guarding
        request.fence = fence ?? 0
        request.holder = holder
        // After its lease's end a holder has nothing to put back (rule S2).
        if let deadline, let serverTime { request.notAfter = serverTime + (deadline - now).microseconds }
        return request
    }

    /// Gives the lock back if `token` holds it.
    package func release(
        of keys: LockKeys, token: Bytes, mark: Mark? = nil, outcome: RunRecord? = nil
    ) -> ReleaseRequest {
        ReleaseRequest(keys: keys, token: token, mark: mark, guarding: guarding != nil, outcome: outcome)
    }
}
