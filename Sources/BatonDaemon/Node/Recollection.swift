// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// A store that does not know its own past is told what this node remembers of each scheduled job, its largest tick and
/// fence, before it elects anybody (rules S7 and S8): also of those that are dormant, and do not ask it for anything.
final class Recollection: Sendable {
    private let isWanted = Doorbell()

    /// The store waits until leases that it may have forgotten are over.
    func storeIsNew() { isWanted.ring() }

    /// Tells it, each time, until it is cancelled.
    ///
    /// - Parameter jobs: those that do not say it themselves.
    func tell(in context: NodeContext, of jobs: @Sendable () -> [String]) async {
        while !Task.isCancelled {
            await isWanted.wait(until: .distantFuture)
            var pause = context.storeSettings.maxLockTimeout / 2
            do throws(LockError) {
                for job in jobs() where !Task.isCancelled { try await tell(of: job, in: context) }
            } catch {
                // A store that comes and goes is told again.
                isWanted.ring()
                pause = .seconds(1)
            }
            // Whoever competes says all the while that the store is new.
            try? await BootClock.sleep(until: BootClock.now() + pause)  // ended early: cancelled
        }
    }

    private func tell(of job: String, in context: NodeContext) async throws(LockError) {
        let (floor, fence) = (context.ticks.largest(of: job), context.fences.largest(of: job))
        if floor == 0, fence == 0 { return }
        let lock = context.lock(of: job, timing: context.timing(of: context.storeSettings.maxLockTimeout))
        let request = SettleRequest(
            keys: lock.keys, guarding: lock.policy.guarding, floor: floor, fence: fence, expected: nil, tick: nil,
            lines: [])
        _ = try await lock.store.settle(request, timeout: lock.policy.answerTimeout)
    }
}
