// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// One task's wait for the end of a term.
final class TermWatch: Sendable {
    private let term: Term
    private let looksAtClock: Bool
    private let bell = Doorbell()
    private let isStopped = Atomic(false)

    /// - Parameter looksAtClock: false: a heartbeat tells the term when its time is over.
    init(_ term: Term, looksAtClock: Bool = true) {
        self.term = term
        self.looksAtClock = looksAtClock
    }

    /// How the lease was lost, at once when it was; nil when the lock was released, the watch stopped, or the waiting
    /// task cancelled.
    func loss() async -> Lease.Loss? {
        term.add(bell)
        // Without a heartbeat nobody else looks at what the store says of its clock.
        let watcher = looksAtClock ? term.clock?.watch { [bell] _ in bell.ring() } : nil
        defer {
            term.remove(bell)
            if let watcher { term.clock?.forget(watcher) }
        }
        while !isStopped.load(ordering: .acquiring) {
            switch term.standing(at: BootClock.now()) {
            case .lost(let loss): return loss
            case .released: return nil
            case .held(let until):
                if Task.isCancelled { return nil }
                await bell.wait(until: looksAtClock ? until : .distantFuture)
            }
        }
        return nil
    }

    /// Ends the wait.
    func stop() {
        isStopped.store(true, ordering: .releasing)
        bell.ring()
    }
}
