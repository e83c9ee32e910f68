// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// The lock of a job whose run is proved to be over, left by one loop of the job to the next: a restart that a reload
/// asks for stays on its node.
///
/// It becomes a new grant by a renewal that swaps the token (rule N3): whatever is still on its way for the old one hits
/// nothing. The fence grows by one, and the store is told in the same request (rule S7): what the run before sent may
/// still arrive somewhere.
struct LockLegacy: Sendable {
    let record: LeaseRecord
    /// The end of the lease.
    let deadline: Instant

    /// One attempt. If it fails, the lock is given back: nil, and whoever is first has it.
    func takeOver(_ lock: LockClient, node: String, runID: String, _ logger: Logger) async -> LockGrant? {
        let successor = RenewRequest.Successor(
            token: Token.fresh(),
            holder: HolderRecord(node: node, runID: runID, since: WallClock.rfc3339()).encode())
        do {
            if let grant = try await swap(lock, successor) { return grant }
        } catch {
            logger.notice("the lock is not kept for the restart", metadata: ["reason": "\(error)"])
        }
        await release(lock, also: successor.token)
        return nil
    }

    /// Nil: the lock is no longer ours, or shall not be.
    private func swap(_ lock: LockClient, _ successor: RenewRequest.Successor) async throws -> LockGrant? {
        // An operator may have stopped the job meanwhile.
        guard try await lock.look().mark?.stops != true, BootClock.now() < deadline else { return nil }
        let fence = record.fence + 1
        let (reply, sentAt) = try await lock.renew(
            token: record.token, change: .reset(lock.policy.timing.timeout), deadline: deadline, fence: fence,
            holder: successor.holder, successor: successor, within: lock.policy.answerTimeout)
        guard case .renewed = reply, BootClock.now() < deadline else { return nil }
        return LockGrant(token: successor.token, sentAt: sentAt, fence: fence, failures: 0)
    }

    /// Gives the lock back. Where that fails it runs out by itself.
    func release(_ lock: LockClient, also successor: Bytes? = nil) async {
        await uncancelled {
            for token in record.candidates + (successor.map { [$0] } ?? []) {
                _ = try? await lock.release(token: token)
            }
        }
    }
}
