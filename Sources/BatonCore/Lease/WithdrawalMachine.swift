// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A token that the store may hold the lock for, although the call that sent it has ended.
package struct Doubt: Equatable, Sendable {
    package var token: Bytes
    /// Random bits of ours, which nobody else has; not a token of the caller's own.
    package var tokenIsFresh: Bool

    package init(token: Bytes, tokenIsFresh: Bool) {
        self.token = token
        self.tokenIsFresh = tokenIsFresh
    }
}

/// Deletes what an unanswered request for a lock may have left, or may still leave until the store has it too late.
///
/// A delete may overtake the request that it follows: it is repeated until one was sent when the request was void. Each
/// action has one event as its answer, and none is performed beside another.
package struct WithdrawalMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        case began
        /// The store answered: if the token held the lock, it does not any more.
        case released
        case releaseFailed
        /// The pause is over.
        case woke
    }

    package enum Action: Equatable, Sendable {
        /// Have the store delete the lock if the token holds it.
        case release
        /// Send nothing until then.
        case pause(until: Instant)
        /// Nothing is left of it; or the doubt that is.
        case over(Doubt?)
    }

    private enum State: Equatable, Sendable {
        case idle
        case releasing(since: Instant)
        case pausing
        case over(Doubt?)
    }

    package let doubt: Doubt
    /// From then on the store refuses what is still on its way.
    private let voidAt: Instant
    private let giveUpAt: Instant
    /// The pause after a delete without an answer.
    private let pause: Duration
    private var state = State.idle

    /// - Parameters:
    ///   - doubt: whose lock it would be.
    ///   - voidAt: when the store refuses what was sent for it; nil: nothing is on its way.
    ///   - patience: how long an answer is waited for.
    package init(_ doubt: Doubt, voidAt: Instant?, patience: Duration, now: Instant) {
        self.doubt = doubt
        self.voidAt = voidAt ?? now
        giveUpAt = max(self.voidAt, now) + patience * 3
        pause = patience / 8
    }

    package mutating func handle(_ event: Event, at now: Instant) -> Action {
        switch (state, event) {
        case (.idle, .began):
            // A token of the caller's own may be somebody else's as well: what it holds is not ours to delete.
            return doubt.tokenIsFresh ? release(at: now) : end(doubt)
        case (.releasing(let since), .released): return since >= voidAt ? end(nil) : rest(until: voidAt)
        case (.releasing, .releaseFailed): return rest(until: now + pause)
        case (.pausing, .woke): return release(at: now)
        case (.over(let doubt), _): return .over(doubt)
        case (.idle, .released), (.idle, .releaseFailed), (.idle, .woke), (.releasing, .began), (.releasing, .woke),
            (.pausing, .began), (.pausing, .released), (.pausing, .releaseFailed):
            preconditionFailure("\(event) answers nothing that was asked for")
        }
    }

    private mutating func release(at now: Instant) -> Action {
        state = .releasing(since: now)
        return .release
    }

    private mutating func rest(until instant: Instant) -> Action {
        guard instant < giveUpAt else { return end(doubt) }
        state = .pausing
        return .pause(until: instant)
    }

    private mutating func end(_ doubt: Doubt?) -> Action {
        state = .over(doubt)
        return .over(doubt)
    }
}
