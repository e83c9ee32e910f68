// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// What keeps one lease alive: its machine, and the requests that the machine asks for.
final class Heartbeat: Sendable {
    private struct State {
        var machine: LeaseMachine
        var isStopped = false
        /// Resumed when no renewal is on its way any more.
        var whenIdle: CheckedContinuation<Void, Never>?
        /// The one appointment that counts; older ones are void.
        var appointment: Instant?
    }

    let client: LockClient
    private let term: Term
    private let timeout: Duration
    private let state: Mutex<State>

    init(_ term: Term, _ client: LockClient, timeout: Duration, deadline: Instant) {
        self.term = term
        self.client = client
        self.timeout = timeout
        let timing = client.policy.timing
        let machine = LeaseMachine(
            timing: timing, sentAt: deadline - timing.timeout + timing.drift, granted: term.granted,
            knowing: client.store.clock?.told)
        state = Mutex(State(machine: machine))
    }

    /// Takes an event in. How long a renewal may take that is to be sent now; nil: none is.
    func handle(_ event: LeaseMachine.Event, changes: Int = 0, at now: Instant) -> Duration? {
        let (actions, end, idle) = state.withLock {
            state -> ([LeaseMachine.Action], ServerDeadline?, CheckedContinuation<Void, Never>?) in
            if state.isStopped, !event.isAnswer { return ([], nil, nil) }
            var actions = state.machine.handle(event, at: now)
            guard state.isStopped else { return (actions, state.machine.serverDeadline, nil) }
            actions.removeAll { if case .renew = $0 { true } else { false } }
            defer { state.whenIdle = nil }
            return (actions, state.machine.serverDeadline, state.whenIdle)
        }
        var limit: Duration?
        for action in actions {
            switch action {
            case .renew(let within): limit = within
            case .deadlineMoved(let moved): term.renewed(since: changes, until: moved, end)
            case .deadlineNeared(let nearer): term.limit(to: nearer)
            case .undo: break  // the release that follows covers it
            case .lost(.expired), .lost(.outrun): term.lose(.expired)
            case .lost(.refused): term.lose(.refused)
            }
        }
        idle?.resume()
        return limit
    }

    /// Renews until the machine is content. Returns when the next renewal is not due yet, or the lease is over.
    func renew(within first: Duration) async {
        var limit: Duration? = first
        while let within = limit {
            let changes = term.changes
            term.limit(to: BootClock.now() + timeout - client.policy.timing.drift)
            let event = await renewal(within: within)
            limit = handle(event, changes: changes, at: BootClock.now())
        }
    }

    private func renewal(within limit: Duration) async -> LeaseMachine.Event {
        do throws(LockError) {
            let deadline = state.withLock { $0.machine.deadline }
            let (reply, sentAt, time) = try await client.renew(
                token: term.token, change: .reset(timeout), deadline: deadline, fence: term.fence, holder: nil,
                within: limit)
            switch reply {
            case .renewed: return .renewed(sentAt: sentAt, granted: time)
            case .lost: return .refused
            case .unsettled: return .failed(jitter: .random(in: 0..<1))
            }
        } catch {
            return .failed(jitter: .random(in: 0..<1))
        }
    }

    /// No renewal is sent any more. Returns when none is on its way either; shielded from cancellation.
    func stop() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                state.isStopped = true
                if state.machine.isRenewing { state.whenIdle = continuation }
                return !state.machine.isRenewing
            }
            if isIdle { continuation.resume() }
        }
    }

    // MARK: Its place in the diary

    /// The next appointment: when it is worth looking again, at the earliest and at the latest. Nil when there is none,
    /// or it was made already.
    func nextAppointment() -> (from: Instant, at: Instant)? {
        state.withLock { state in
            guard !state.isStopped, let at = state.machine.nextWake, let from = state.machine.earliestWake,
                state.appointment != at
            else { return nil }
            state.appointment = at
            return (from, at)
        }
    }

    /// Whether the appointment at this instant counts.
    func hasAppointment(at instant: Instant) -> Bool {
        state.withLock { !$0.isStopped && $0.appointment == instant }
    }

    /// As ``hasAppointment(at:)``; it is over with this.
    func keeps(_ appointment: Instant) -> Bool {
        state.withLock { state in
            guard state.appointment == appointment else { return false }
            state.appointment = nil
            return !state.isStopped
        }
    }
}

extension LeaseMachine.Event {
    /// Whether a renewal has come back with it.
    fileprivate var isAnswer: Bool {
        switch self {
        case .renewed, .refused, .failed: true
        case .woke, .heard: false
        }
    }
}
