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

    init(limit: Int) {
        state = Mutex(State(quota: RunQuota(limit: limit)))
    }

    /// Whether another live daemon has this node's name, and which.
    var barredBy: String? { state.withLock { $0.quota.barredBy } }

    /// What keeps jobs without a run from competing.
    var obstacle: RunQuota.Obstacle? { state.withLock { $0.quota.obstacle } }

    /// No job takes new runs while another daemon has this node's name; nil: that is over.
    func bar(by other: String?) { change { $0.barredBy = other } }

    /// `tell` is called when room ends, or begins again; what is true by then is to be asked.
    func watch(_ job: String, tell: @escaping @Sendable () -> Void) {
        state.withLock { $0.watchers[job] = tell }
    }

    func forget(_ job: String) { state.withLock { $0.watchers[job] = nil } }

    func add(_ job: String) { change { $0.add(job) } }

    func free(_ job: String) { change { $0.free(job) } }

    /// One step of a job's loop, or anything else that changes what room there is.
    func change<Result>(_ body: (inout RunQuota) -> Result) -> Result {
        let (result, told) = state.withLock { state in
            let before = state.quota.obstacle
            let result = body(&state.quota)
            return (result, state.quota.obstacle == before ? [] : Array(state.watchers.values))
        }
        for tell in told { tell() }
        return result
    }
}
