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
        /// The store renewed, when its clock showed `granted`; the request was about to be sent at `sentAt`.
        case renewed(sentAt: Instant, granted: ServerTime? = nil)
        /// A settled store says that the lock is not ours.
        case refused
        /// No answer, an error, or a store that does not know its past: neither yes nor no.
        case failed(jitter: Double)
        /// The server's clock was seen to be ahead of ours, or another server's was seen (rule S10).
        case heard(ClockReading)
    }

    package enum Action: Equatable, Sendable {
        /// Send a renewal, and wait for its answer for so long.
        case renew(within: Duration)
        /// The lease is now good until then.
        case deadlineMoved(to: Instant)
        /// The lease ends then already.
        case deadlineNeared(to: Instant)
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
        /// By the server's clock its time is over, by ours it is not: this machine was paused, or that clock was set
        /// forward.
        case outrun
    }

    private enum State: Equatable, Sendable {
        case resting(renewAt: Instant)
        case renewing(since: Instant)
        /// `unanswered`: a renewal is still on its way.
        case over(Loss, unanswered: Bool)
    }

    package let timing: LeaseTiming
    /// D.
    package private(set) var deadline: Instant
    private var state: State
    /// D by the server's clock; nil where that is ours, or not known.
    package private(set) var serverDeadline: ServerDeadline?
    /// The last reading of the server's clock: a yes from before it may still be on its way to us.
    private var reading: ClockReading?

    /// A lease granted by a request that was about to be sent at `sentAt`.
    ///
    /// - Parameters:
    ///   - granted: the server's time in the answer; nil: its clock is ours, or not known.
    ///   - reading: the last one that came with `.heard`.
    package init(timing: LeaseTiming, sentAt: Instant, granted: ServerTime? = nil, knowing reading: ClockReading? = nil)
    {
        self.timing = timing
        self.reading = reading
        deadline = timing.deadline(sentAt: sentAt)
        state = .resting(renewAt: timing.renewalDue(sentAt: sentAt))
        confirm(sentAt: sentAt, granted)
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

    /// Why it is over; nil: it is not.
    package var loss: Loss? {
        if case .over(let loss, _) = state { loss } else { nil }
    }

    /// A renewal was sent and not answered yet.
    package var isRenewing: Bool {
        switch state {
        case .renewing, .over(_, unanswered: true): true
        case .resting, .over(_, unanswered: false): false
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
        case (.over(let loss, _), .renewed):
            state = .over(loss, unanswered: false)
            return [.undo]
        case (.over(let loss, _), .refused), (.over(let loss, _), .failed):
            state = .over(loss, unanswered: false)
            return []
        case (.over, .woke), (.over, .heard): return []
        case (.resting, .refused), (.renewing, .refused): return end(.refused, unanswered: false)
        case (.resting, .renewed(let sentAt, let granted)), (.renewing, .renewed(let sentAt, let granted)):
            if now >= deadline { return [.undo] + end(.expired, unanswered: false) }
            state = .resting(renewAt: timing.renewalDue(sentAt: sentAt))
            let moved = timing.deadline(sentAt: sentAt)
            guard moved > deadline else { return look(at: now) }
            deadline = moved
            confirm(sentAt: sentAt, granted)
            if now >= deadline { return end(.outrun, unanswered: false) }
            return [.deadlineMoved(to: deadline)] + look(at: now)
        case (.renewing, .failed(let jitter)):
            state = .resting(renewAt: now + timing.retryDelay(jitter: jitter))
            return look(at: now)
        case (.resting, .woke), (.renewing, .woke), (.resting, .failed): return look(at: now)
        case (.resting, .heard(let reading)), (.renewing, .heard(let reading)):
            self.reading = reading
            return compare(with: reading, at: now)
        }
    }

    // MARK: The server's clock

    /// The lease is as long as this yes makes it, by both clocks.
    private mutating func confirm(sentAt: Instant, _ granted: ServerTime?) {
        serverDeadline = granted.map {
            ServerDeadline(granted: $0, sentAt: sentAt, lasting: timing.timeout - timing.drift)
        }
        if let end = reading.flatMap({ serverDeadline?.seen(in: $0) }) { deadline = min(deadline, end) }
    }

    /// What is left is what both clocks leave. Where that is less than was thought, or is not known, a renewal clears
    /// it up at once.
    private mutating func compare(with reading: ClockReading, at now: Instant) -> [Action] {
        guard let serverDeadline else { return [] }
        if serverDeadline.isOnAnotherClock(than: reading) {
            // Until that renewal's yes, a pause that comes now shows on this clock.
            self.serverDeadline = ServerDeadline(end: deadline, onClockOf: reading)
            renewSoon(at: now)
            return look(at: now)
        }
        guard let end = serverDeadline.seen(in: reading), end < deadline else { return [] }
        let difference = deadline - end
        deadline = end
        if now >= end { return self.end(.outrun, unanswered: isRenewing) }
        if difference > timing.drift { renewSoon(at: now) }
        return [.deadlineNeared(to: end)] + look(at: now)
    }

    private mutating func renewSoon(at now: Instant) {
        if case .resting(let renewAt) = state { state = .resting(renewAt: min(renewAt, now)) }
    }

    private mutating func end(_ loss: Loss, unanswered: Bool) -> [Action] {
        state = .over(loss, unanswered: unanswered)
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
