// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Synchronization

/// The node's room for runs, which all jobs share. Each job's loop is told when the last of it is taken, and when there is
/// some again.
final class RunRoom: Sendable {
    private struct State {
        var quota: RunQuota
        var watchers: [String: @Sendable () -> Void] = [:]
    }
    private let state: Mutex<State>
    let limit: Int

    init(limit: Int) {
        self.limit = limit
        state = Mutex(State(quota: RunQuota(limit: limit)))
    }

    func hasRoom(for job: String) -> Bool { state.withLock { $0.quota.hasRoom(for: job) } }

    /// `tell` is called after each change between full and not full; what is true by then is to be asked.
    func watch(_ job: String, tell: @escaping @Sendable () -> Void) {
        state.withLock { $0.watchers[job] = tell }
    }

    func forget(_ job: String) { state.withLock { $0.watchers[job] = nil } }

    /// Room for a job that was elected; false: there is none.
    func claim(_ job: String) -> Bool { change { $0.claim(job) } }

    func add(_ job: String) { change { $0.add(job) } }

    func free(_ job: String) { change { $0.free(job) } }

    private func change<Result>(_ body: (inout RunQuota) -> Result) -> Result {
        let (result, told) = state.withLock { state in
            let wasFull = state.quota.isFull
            let result = body(&state.quota)
            return (result, state.quota.isFull == wasFull ? [] : Array(state.watchers.values))
        }
        for tell in told { tell() }
        return result
    }
}
