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
            var untold = jobs()
            let end = BootClock.now() + context.storeSettings.maxLockTimeout / 2
            // A store that comes and goes is asked again for those of which it did not answer.
            while !Task.isCancelled, !untold.isEmpty, BootClock.now() < end {
                untold = await tell(of: untold, in: context)
                if !untold.isEmpty { try? await BootClock.sleep(until: BootClock.now() + .seconds(1)) }  // or cancelled
            }
            // Whoever competes says all the while that the store is new.
            try? await BootClock.sleep(until: end)  // ended early: cancelled
        }
    }

    /// - Returns: those that may be told of later: the first that was not answered, and what follows it.
    private func tell(of jobs: [String], in context: NodeContext) async -> [String] {
        for (index, job) in jobs.enumerated() {
            if Task.isCancelled { return [] }
            do throws(LockError) {
                try await tell(of: job, in: context)
            } catch  where error.isPassing {
                return Array(jobs[index...])
            } catch {}  // it refuses for good, which the job's own loop says
        }
        return []
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
