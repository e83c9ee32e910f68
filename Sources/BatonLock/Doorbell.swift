// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
import BatonSystem
import Synchronization

/// Wakes one waiter. A ring while nobody waits is remembered; any number of rings before a wait count as one.
public final class Doorbell: Sendable {
    private enum State {
        case silent
        case rung
        case waiting(CheckedContinuation<Void, Never>)
    }
    private let state = Mutex(State.silent)

    /// A silent bell.
    public init() {}

    /// Wakes the waiter, or the next one to come.
    public func ring() {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if case .waiting(let continuation) = state {
                state = .silent
                return continuation
            }
            state = .rung
            return nil
        }
        waiter?.resume()
    }

    /// Returns at the next ring, at `deadline`, or when the task is cancelled, whichever comes first.
    ///
    /// One waiter at a time.
    public func wait(until deadline: Instant) async {
        // For ever needs no timer, and no tasks to race it: a daemon has several of these waits for each of its jobs.
        if deadline.nanoseconds == .max { return await waitForRing() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.waitForRing() }
            group.addTask { try? await BootClock.sleep(until: deadline) }  // only cancellation: then we return as well
            await group.next()
            group.cancelAll()
        }
    }

    private func waitForRing() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state -> Bool in
                    if case .rung = state {
                        state = .silent
                        return true
                    }
                    if Task.isCancelled { return true }
                    state = .waiting(continuation)
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
                guard case .waiting(let continuation) = state else { return nil }
                state = .silent
                return continuation
            }
            waiter?.resume()
        }
    }
}
