// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One acquire call on its way to a lock: what it asks the store, when it asks again, and how it ends.
///
/// It has one token for all its requests, so that one whose answer was lost is recognised by the next (rule S1). It does
/// one thing at a time: each action has one event as its answer, and none is performed beside another. What it learns
/// from answers is in a ``WaitMachine``, which outlives it.
package struct CompetitionMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        /// Nil: it goes on for ever. When that has passed already, the store is asked once.
        case began(until: Instant?)
        /// The wait or the pause is over: its time came, or it was worth asking earlier.
        case woke
        /// Nobody wants the lock any more. What the store is being asked is not waited for.
        case cancelled
        /// The store answered a look: its time is known.
        case looked
        /// What the store said to the request that was about to be sent at `sentAt`.
        /// `clock` says whose time it is.
        case answered(AcquireReply, serverTime: Int64, clock: Int = 0, sentAt: Instant, jitter: Duration)
        /// There is no answer, or none that says whether the lock is ours.
        case failed(Failure, jitter: Double)
    }

    package enum Failure: Equatable, Sendable {
        /// The request may have been applied, or may be later.
        case unanswered
        /// It was not applied and will not be; later it may be.
        case passing
        /// The store refuses for good.
        case final
    }

    package enum Action: Equatable, Sendable {
        /// Wait until then, or until it is worth asking earlier: somebody gave the lock back.
        case wait(until: Instant)
        /// Wait until then, whatever happens.
        case pause(until: Instant)
        /// Learn the store's time.
        case look
        /// Send ``CompetitionMachine/request``.
        case ask
        /// It is over. See ``CompetitionMachine/withdrawal(at:)`` for what is to be undone.
        case over(Ending)
    }

    package enum Ending: Equatable, Sendable {
        case granted(LockGrant)
        /// The lock could be had, but the claim does not follow what its ledger says.
        case ledger(LedgerView)
        case timeUp
        case cancelled
        case refused
    }

    private enum State: Equatable, Sendable {
        case idle
        /// Lets those who have no handicap ask first.
        case standingBack(until: Instant)
        /// `atOnce`: then it does not stand back again.
        case resting(until: Instant, atOnce: Bool)
        case looking
        case asking(since: Instant)
        /// The lock is ours, and waits for earlier requests to be void.
        case keeping(LockGrant)
        case over(Ending)
    }

    package let policy: LockPolicy
    /// The longest pause between two requests; nil: as long as the rules allow.
    private let longestWait: Duration?
    private let handicap: Duration
    /// What is sent next, or was sent last.
    package private(set) var request: AcquireRequest
    /// Why the lock was not granted by the last answer; nil: there was none, or it was.
    package private(set) var reason: WaitMachine.Reason?
    private var deadline: Instant?
    private var failures = 0
    /// The last answer was that the request came too late.
    private var wasLate = false
    /// A request was sent whose answer never came: the store may hold the lock for us.
    private var mayBeHeld: Bool
    /// From then on the store refuses what is still on its way; nil: nothing is.
    private var voidAt: Instant?
    private var state = State.idle

    /// - Parameters:
    ///   - token: of this call alone.
    ///   - tokenIsFresh: it is 128 random bits of ours, not a token of the caller's own.
    ///   - isDoubted: an earlier call's token, which may hold the lock already.
    ///   - longestWait: the longest pause between two requests; nil: as long as the rules allow.
    ///   - handicap: so much later than it might it asks, each time: others go first.
    ///   - claim: what is claimed with the lock; nil: nothing.
    package init(
        keys: LockKeys, policy: LockPolicy, token: Bytes, tokenIsFresh: Bool = true, isDoubted: Bool = false,
        longestWait: Duration? = nil, handicap: Duration = .zero, claim: LedgerClaim? = nil
    ) {
        self.policy = policy
        self.longestWait = longestWait
        self.handicap = handicap
        mayBeHeld = isDoubted
        request = AcquireRequest(
            keys: keys, token: token, tokenIsFresh: tokenIsFresh,
            timeout: policy.expires ? policy.timing.timeout : nil)
        request.heedsMarks = policy.heedsMarks
        request.claim = claim
    }

    /// - Parameters:
    ///   - waiter: what this call and others of the same lock learned.
    ///   - serverTime: the store's time now, as far as it is known.
    package mutating func handle(
        _ event: Event, _ waiter: inout WaitMachine, serverTime: Int64?, at now: Instant
    ) -> Action {
        switch (state, event) {
        case (.idle, .began(let deadline)):
            self.deadline = deadline
            return standBackOrAsk(waiter, serverTime, at: now)
        case (.standingBack(let end), .woke):
            if now >= end { return ask(waiter, serverTime, at: now) }
            // Also when the lock is taken and given back meanwhile. Whoever holds it afterwards keeps it.
            return standBackOrAsk(waiter, serverTime, at: now)
        case (.resting(let nextTry, let atOnce), .woke):
            if let deadline, nextTry > deadline, now >= deadline { return end(.timeUp) }
            return atOnce ? ask(waiter, serverTime, at: now) : standBackOrAsk(waiter, serverTime, at: now)
        case (.looking, .looked): return send(waiter, serverTime, at: now)
        case (.looking, .failed(let failure, let jitter)): return failed(failure, jitter: jitter, at: now)
        case (.asking, .answered(.late, let serverTime, _, _, _)) where !wasLate:
            // What was known of the store's time was too old to say until when a request counts. Now it is not.
            wasLate = true
            return send(waiter, serverTime, at: now)
        case (.asking(let asked), .answered(.ledger, _, _, _, _)) where request.claim == nil:
            // It answers nothing that was asked for: who knows what the store did.
            unanswered(asked)
            return failed(.unanswered, jitter: 1, at: now)
        case (.asking, .answered(let reply, let serverTime, let clock, let sentAt, let jitter)):
            wasLate = reply == .late
            let decision = waiter.received(
                reply, serverTime: serverTime, at: now, jitter: jitter, longestWait: longestWait)
            return received(decision, ServerTime(microseconds: serverTime, clock: clock), sentAt: sentAt, at: now)
        case (.asking(let asked), .failed(let failure, let jitter)):
            if failure == .unanswered { unanswered(asked) }
            return failed(failure, jitter: jitter, at: now)
        case (.asking(let asked), .cancelled):
            unanswered(asked)
            return end(.cancelled)
        case (.idle, .cancelled), (.standingBack, .cancelled), (.resting, .cancelled), (.looking, .cancelled):
            return end(.cancelled)
        case (.keeping(let grant), .woke), (.keeping(let grant), .cancelled): return end(.granted(grant))
        case (.over(let ending), _): return .over(ending)
        case (.idle, .woke), (.idle, .looked), (.idle, .answered), (.idle, .failed), (.standingBack, .began),
            (.standingBack, .looked), (.standingBack, .answered), (.standingBack, .failed), (.resting, .began),
            (.resting, .looked), (.resting, .answered), (.resting, .failed), (.looking, .began), (.looking, .woke),
            (.looking, .answered), (.asking, .began), (.asking, .woke), (.asking, .looked), (.keeping, .began),
            (.keeping, .looked), (.keeping, .answered), (.keeping, .failed):
            preconditionFailure("\(event) answers nothing that was asked for")
        }
    }

    // MARK: One request

    private mutating func standBackOrAsk(_ waiter: WaitMachine, _ serverTime: Int64?, at now: Instant) -> Action {
        guard handicap > .zero else { return ask(waiter, serverTime, at: now) }
        state = .standingBack(until: now + handicap)
        return .wait(until: now + handicap)
    }

    private mutating func ask(_ waiter: WaitMachine, _ serverTime: Int64?, at now: Instant) -> Action {
        // Without the store's time the request could not be made void: one look brings it.
        if isTimed, serverTime == nil {
            state = .looking
            return .look
        }
        return send(waiter, serverTime, at: now)
    }

    /// Whether requests say until when they count. The caller's own token and nothing else is the seed's plain SET NX.
    private var isTimed: Bool { request.tokenIsFresh || policy.guarding != nil || policy.fences }

    private mutating func send(_ waiter: WaitMachine, _ serverTime: Int64?, at now: Instant) -> Action {
        if policy.fences { request.fence = .init(floor: waiter.largestFence) }
        if var guarding = policy.guarding {
            guarding.nonce = waiter.nonceToPresent(at: now)
            guarding.claim = waiter.claimToPresent(at: now)
            request.guarding = guarding
        }
        if isTimed, let serverTime { request.notAfter = serverTime + policy.answerTimeout.microseconds }
        state = .asking(since: now)
        return .ask
    }

    private mutating func received(
        _ decision: WaitMachine.Decision, _ time: ServerTime, sentAt: Instant, at now: Instant
    ) -> Action {
        failures = 0
        switch decision {
        case .granted(let grant):
            reason = nil
            // Too late to be of use: ask again with this token, the store will set the TTL again.
            if policy.expires, now >= policy.timing.deadline(sentAt: sentAt) {
                mayBeHeld = true
                return rest(until: now, atOnce: true, at: now)
            }
            let turn = request.claim.map { $0.entry(fence: grant.fence ?? 0, at: time.microseconds) }
            let grant = LockGrant(
                token: request.token, sentAt: sentAt, granted: time, fence: grant.fence, failures: grant.failures,
                turn: turn)
            // Nobody renews or remembers a lock that never expires: an earlier request that is still on its way must not
            // come after its release, and lock everybody out for ever.
            if !policy.expires, let voidAt, voidAt > now {
                state = .keeping(grant)
                return .pause(until: voidAt)
            }
            return end(.granted(grant))
        case .ledger(let view):
            reason = nil
            return end(.ledger(view))
        case .wait(let instant, let reason):
            self.reason = reason
            // A request that the store had too late has stood back.
            return rest(until: instant, atOnce: reason == .late, at: now)
        }
    }

    private mutating func unanswered(_ asked: Instant) {
        let patience = policy.answerTimeout
        mayBeHeld = true
        voidAt = asked + patience + LeaseTiming.margin(of: patience)
    }

    private mutating func failed(_ failure: Failure, jitter: Double, at now: Instant) -> Action {
        reason = nil
        if failure == .final { return end(.refused) }
        failures += 1
        let backOff = min(Duration.milliseconds(25) * (1 << min(failures, 6)), .seconds(1))
        return rest(until: now + backOff * (0.5 + jitter / 2), atOnce: false, at: now)
    }

    private mutating func rest(until nextTry: Instant, atOnce: Bool, at now: Instant) -> Action {
        if let deadline, now >= deadline { return end(.timeUp) }
        state = .resting(until: nextTry, atOnce: atOnce)
        return .wait(until: deadline.map { min(nextTry, $0) } ?? nextTry)
    }

    // MARK: The end

    private mutating func end(_ ending: Ending) -> Action {
        state = .over(ending)
        return .over(ending)
    }

    /// What is to be undone at the end: the store may hold the lock for a call that does not know it.
    package func withdrawal(at now: Instant) -> WithdrawalMachine? {
        guard case .over(let ending) = state, mayBeHeld else { return nil }
        if case .granted = ending { return nil }
        let doubt = Doubt(token: request.token, tokenIsFresh: request.tokenIsFresh)
        return WithdrawalMachine(doubt, voidAt: voidAt, patience: policy.answerTimeout, now: now)
    }
}
