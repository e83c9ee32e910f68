// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Lets a few runs be launched at a time, in the order in which they come.
///
/// Keepers have real-time priority from their first moment on: thousands that come up at once would leave this daemon no
/// processor time to renew its leases in.
final class LaunchGate: Sendable {
    private struct State {
        var free: Int
        /// Who waits, in order.
        var queue: [(number: UInt64, turn: CheckedContinuation<Bool, Never>)] = []
        var lastNumber: UInt64 = 0
    }

    private let state: Mutex<State>

    /// - Parameter width: so many at a time.
    init(width: Int) { state = Mutex(State(free: width)) }

    /// Returns when `body` has: it was given its turn, and has it until it returns.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before its turn, else what `body` throws.
    func pass<Result>(_ body: () async throws -> Result) async throws -> Result {
        guard await enter() else { throw CancellationError() }
        defer { leave() }
        return try await body()
    }

    /// False: not any more, the task is cancelled.
    private func enter() async -> Bool {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { turn in
                let isDecided = state.withLock { state -> Bool? in
                    if Task.isCancelled { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.queue.append((number, turn))
                    return nil
                }
                if let isDecided { turn.resume(returning: isDecided) }
            }
        } onCancel: {
            let turn = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let place = state.queue.firstIndex(where: { $0.number == number }) else { return nil }
                return state.queue.remove(at: place).turn
            }
            turn?.resume(returning: false)
        }
    }

    private func leave() {
        let turn = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            if state.queue.isEmpty {
                state.free += 1
                return nil
            }
            return state.queue.removeFirst().turn
        }
        turn?.resume(returning: true)
    }
}
