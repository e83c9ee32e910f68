// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// One renewal of a job's lease; for a run that was taken over, also the swap of its token (rule N3).
///
/// The new token is on disk before it is sent, and stays the same for every attempt, also of the daemon after this one:
/// so two tokens at the most can be the lock's value, and the store takes either. Whatever the earlier daemon still has
/// in flight for the old token hits nothing.
struct Renewal: Sendable {
    let lock: LockClient
    let runID: String
    let record: LeaseRecord
    let isInherited: Bool
    let deadline: Instant
    let holder: Bytes

    /// - Parameter remember: writes the record to the run's folder.
    /// - Returns: what the lease makes of it, and the record if the token changed, or may have.
    func perform(
        within limit: Duration, remember: (LeaseRecord) async throws -> Void
    ) async -> (LeaseMachine.Event, LeaseRecord?) {
        var record = record
        do {
            var successor: RenewRequest.Successor?
            if isInherited {
                let token = record.successor ?? Token.fresh()
                if record.successor == nil {
                    record.successor = token
                    try await remember(record)
                }
                successor = .init(token: token, holder: holder)
            }
            let (reply, sentAt) = try await renew(successor: successor, within: limit)
            guard let successor, case .renewed = reply else {
                return (event(reply, sentAt: sentAt), isInherited ? record : nil)
            }
            record = LeaseRecord(token: successor.token, fence: record.fence, timeout: record.timeout)
            try? await remember(record)  // the record before it names this token too
            return (.renewed(sentAt: sentAt), record)
        } catch {
            return (.failed(jitter: .random(in: 0..<1)), isInherited ? record : nil)
        }
    }

    private func renew(
        successor: RenewRequest.Successor?, within limit: Duration
    ) async throws -> (reply: RenewReply, sentAt: Instant) {
        try await lock.renew(
            token: record.token, change: .reset(lock.policy.timing.timeout), deadline: deadline, fence: record.fence,
            holder: holder, successor: successor, within: limit)
    }

    private func event(_ reply: RenewReply, sentAt: Instant) -> LeaseMachine.Event {
        switch reply {
        case .renewed: .renewed(sentAt: sentAt)
        case .lost: .refused
        case .unsettled: .failed(jitter: .random(in: 0..<1))
        }
    }
}
