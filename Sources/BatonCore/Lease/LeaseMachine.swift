// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Keeps one lease: when to renew, when to try again, and when it is over.
///
/// The lease ends at its deadline D whatever anyone says later: a yes that is processed at or after D is undone, never
/// used. A refusal by a settled store ends it at once.
package struct LeaseMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        /// `nextWake` has come, or anything else made it worth looking at the clock.
        case woke
        /// The store renewed; the request was about to be sent at `sentAt`.
        case renewed(sentAt: Instant)
        /// A settled store says that the lock is not ours.
        case refused
        /// No answer, an error, or a store that does not know its past: neither yes nor no.
        case failed(jitter: Double)
    }

    package enum Action: Equatable, Sendable {
        /// Send a renewal, and wait for its answer for so long.
        case renew(within: Duration)
        /// The lease is now good until then.
        case deadlineMoved(to: Instant)
        /// A yes came too late: give the lock back, it must not be used.
        case undo
        /// The lease is over.
        case lost(Loss)
    }

    /// Why a lease is over.
    package enum Loss: String, Equatable, Sendable {
        /// D passed without a renewal.
        case expired
        /// The lock is another's, or was taken away.
        case refused
    }

    private enum State: Equatable, Sendable {
        case resting(renewAt: Instant)
        case renewing(since: Instant)
        /// `unanswered`: a renewal is still on its way.
        case over(unanswered: Bool)
    }

    package let timing: LeaseTiming
    /// D.
    package private(set) var deadline: Instant
    private var state: State

    /// A lease granted by a request that was about to be sent at `sentAt`.
    package init(timing: LeaseTiming, sentAt: Instant) {
        self.timing = timing
        deadline = timing.deadline(sentAt: sentAt)
        state = .resting(renewAt: timing.renewalDue(sentAt: sentAt))
    }

    /// A lease of which only the end is known (a run taken over from an earlier daemon): renewed at once.
    package init(timing: LeaseTiming, deadline: Instant, now: Instant) {
        self.timing = timing
        self.deadline = deadline
        state = .resting(renewAt: now)
    }

    package var isOver: Bool {
        if case .over = state { true } else { false }
    }

    /// A renewal was sent and not answered yet.
    package var isRenewing: Bool {
        switch state {
        case .renewing, .over(unanswered: true): true
        case .resting, .over(unanswered: false): false
        }
    }

    /// A renewal was sent, and has outlived every time limit it has: nobody will answer any more.
    package func isRenewalOverdue(at now: Instant) -> Bool {
        guard case .renewing(let since) = state else { return false }
        return now - since > timing.attemptTimeout * 3
    }

    /// When to send `.woke`, if nothing happens before.
    package var nextWake: Instant? {
        switch state {
        case .resting(let renewAt): min(renewAt, deadline)
        case .renewing: deadline
        case .over: nil
        }
    }

    /// From when on `.woke` may have an effect: a renewal may go a little early, together with others.
    package var earliestWake: Instant? {
        switch state {
        case .resting(let renewAt): min(renewAt - timing.earliness, deadline)
        case .renewing: deadline
        case .over: nil
        }
    }

    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        switch (state, event) {
        case (.over, .renewed):
            state = .over(unanswered: false)
            return [.undo]
        case (.over, .refused), (.over, .failed):
            state = .over(unanswered: false)
            return []
        case (.over, .woke): return []
        case (.resting, .refused), (.renewing, .refused): return end(.refused, unanswered: false)
        case (.resting, .renewed(let sentAt)), (.renewing, .renewed(let sentAt)):
            if now >= deadline { return [.undo] + end(.expired, unanswered: false) }
            state = .resting(renewAt: timing.renewalDue(sentAt: sentAt))
            let moved = timing.deadline(sentAt: sentAt)
            guard moved > deadline else { return look(at: now) }
            deadline = moved
            return [.deadlineMoved(to: moved)] + look(at: now)
        case (.renewing, .failed(let jitter)):
            state = .resting(renewAt: now + timing.retryDelay(jitter: jitter))
            return look(at: now)
        case (.resting, .woke), (.renewing, .woke), (.resting, .failed): return look(at: now)
        }
    }

    private mutating func end(_ loss: Loss, unanswered: Bool) -> [Action] {
        state = .over(unanswered: unanswered)
        return [.lost(loss)]
    }

    /// What the clock alone asks for.
    private mutating func look(at now: Instant) -> [Action] {
        if now >= deadline { return end(.expired, unanswered: isRenewing) }
        switch state {
        case .resting(let renewAt) where now >= renewAt - timing.earliness:
            state = .renewing(since: now)
            return [.renew(within: min(timing.attemptTimeout, deadline - now))]
        case .resting, .renewing, .over: return []
        }
    }
}
