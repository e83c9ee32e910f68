// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// One grant of a lock, from its yes to its end: what the holder may still believe.
final class Term: Sendable {
    private enum End {
        case lost(Lease.Loss)
        case released
    }
    private struct State {
        /// D; nil without a timeout.
        var deadline: Instant?
        /// The same by the server's clock; nil where that is ours, or not known.
        var serverDeadline: ServerDeadline?
        /// How often a change of the lease was heard of.
        var changes = 0
        var end: End?
        /// Of those who wait for the end.
        var bells: [Doorbell] = []
    }

    let token: Bytes
    let fence: Int64?
    /// The server's; nil where it is ours.
    let clock: StoreClock?
    /// When the server said yes to the grant.
    let granted: ServerTime?
    private let state: Mutex<State>

    /// - Parameter length: what the lease lasts, less its margin; nil: for ever.
    init(_ grant: LockGrant, lasting length: Duration?, clock: StoreClock?) {
        token = grant.token
        fence = grant.fence
        granted = grant.granted
        self.clock = clock
        var state = State(deadline: length.map { grant.sentAt + $0 })
        if let length, let granted = grant.granted {
            state.serverDeadline = ServerDeadline(granted: granted, sentAt: grant.sentAt, lasting: length)
        }
        self.state = Mutex(state)
    }

    var deadline: Instant? {
        lookAtServersClock()
        return state.withLock { $0.deadline }
    }

    /// Where the server's clock went ahead of ours, its word counts (rule S10).
    private func lookAtServersClock() {
        guard let reading = clock?.told else { return }
        state.withLock { state in
            guard let deadline = state.deadline, let end = state.serverDeadline?.seen(in: reading) else { return }
            state.deadline = min(deadline, end)
        }
    }

    /// The count of changes heard of so far; to be handed to ``renewed(since:until:)``.
    var changes: Int { state.withLock { $0.changes } }

    /// Whether the holder may still act: neither lost, nor released, nor past its end.
    func isValid(at now: Instant) -> Bool {
        lookAtServersClock()
        return state.withLock { $0.end == nil && $0.deadline.map { now < $0 } ?? true }
    }

    /// The lease ends then, if not earlier.
    func limit(to end: Instant) {
        let bells = state.withLock { state -> [Doorbell] in
            guard let deadline = state.deadline, end < deadline else { return [] }
            state.deadline = end
            return state.bells
        }
        for bell in bells { bell.ring() }
    }

    /// A change was confirmed that was asked for when `changes` had been heard of.
    func renewed(since changes: Int, until end: Instant, _ serverDeadline: ServerDeadline?) {
        state.withLock { state in
            // Another change was heard of meanwhile, and the store's order is not known: the earlier end counts.
            if state.changes == changes {
                (state.deadline, state.serverDeadline) = (end, serverDeadline)
            } else {
                state.deadline = min(end, state.deadline ?? end)
            }
            state.changes += 1
            // The store knows our token again, or still: an operator's PERSIST refuses an extension, and no more.
            if case .lost = state.end { state.end = nil }
        }
    }

    /// The lease is over before its time: whoever waits for the end is told.
    func lose(_ loss: Lease.Loss) { end(.lost(loss)) }

    /// The lock was given back.
    func wasReleased() { end(.released) }

    /// Rings the bell when the lease ends, or its end moves nearer.
    func add(_ bell: Doorbell) { state.withLock { $0.bells.append(bell) } }

    func remove(_ bell: Doorbell) { state.withLock { $0.bells.removeAll { $0 === bell } } }

    /// How things stand for who waits for the end.
    enum Standing {
        case lost(Lease.Loss)
        case released
        /// Look again then, or when the bell rings.
        case held(until: Instant)
    }

    func standing(at now: Instant) -> Standing {
        lookAtServersClock()
        let isOver = state.withLock { state in
            guard state.end == nil, let deadline = state.deadline else { return false }
            return now >= deadline
        }
        if isOver { end(.lost(.expired)) }
        return state.withLock { state in
            switch state.end {
            case .lost(let loss): .lost(loss)
            case .released: .released
            case nil: .held(until: state.deadline ?? .distantFuture)
            }
        }
    }

    /// Whether the lease was lost by then.
    func isLost(at now: Instant) -> Bool {
        if case .lost = standing(at: now) { true } else { false }
    }

    private func end(_ end: End) {
        let bells = state.withLock { state in
            if state.end == nil { state.end = end }
            // In one step with the reason: whoever sees the time over says so.
            if let deadline = state.deadline { state.deadline = min(deadline, BootClock.now()) }
            return state.bells
        }
        for bell in bells { bell.ring() }
    }
}
