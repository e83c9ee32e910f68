// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// Carries out a ``RecollectionMachine``: a store that lost data is told what this node remembers of each scheduled job,
/// before it elects anybody.
final class Recollection: Sendable {
    private let events = Mutex<[RecollectionMachine.Event]>([])
    /// Rings when there are events.
    private let bell = Doorbell()

    /// The store may be another than it was, and nothing else asks it about these jobs.
    func want(_ jobs: [String]) { if !jobs.isEmpty { post(.wanted(jobs)) } }

    /// A competition heard that the store does not know its own past.
    func storeIsNew() { post(.storeIsNew) }

    private func post(_ event: RecollectionMachine.Event) {
        events.withLock { $0.append(event) }
        bell.ring()
    }

    /// Tells it, each time, until it is cancelled.
    ///
    /// - Parameter jobs: all that have a schedule.
    func tell(in context: NodeContext, of jobs: @escaping @Sendable () -> [String]) async {
        var machine = RecollectionMachine(maxLockTimeout: context.storeSettings.maxLockTimeout)
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                var events = events.withLock { events in
                    defer { events = [] }
                    return events
                }
                if events.isEmpty { events = [.woke] }
                var wake = Instant.distantFuture
                while !events.isEmpty {
                    wake = .distantFuture
                    for action in machine.handle(events.removeFirst(), at: BootClock.now()) {
                        switch action {
                        case .wantAll: events.append(.wanted(jobs()))
                        case .tell(let job):
                            group.addTask {
                                let isTold = await self.tell(of: job, in: context)
                                self.post(isTold || !jobs().contains(job) ? .told : .failed(job))
                            }
                        case .wake(let instant): wake = instant
                        }
                    }
                }
                await bell.wait(until: wake)
            }
            group.cancelAll()
        }
    }

    /// False: it may be told of later.
    private func tell(of job: String, in context: NodeContext) async -> Bool {
        let (floor, fence) = (context.ticks.largest(of: job), context.fences.largest(of: job))
        if floor == 0, fence == 0 { return true }
        let lock = context.lock(of: job, timing: context.timing(of: context.storeSettings.maxLockTimeout))
        let request = SettleRequest(
            keys: lock.keys, guarding: lock.policy.guarding, floor: floor, fence: fence)
        do throws(LockError) {
            _ = try await lock.store.settle(request, timeout: lock.policy.answerTimeout)
            return true
        } catch {
            // A store that refuses today may have its rights, or its replicas, in a moment.
            return error.code == .closed
        }
    }
}
