// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem

/// One lock on one store: the requests, with everything that makes their answers safe to use.
///
/// ``Lock`` (the seed's class) and `batond`'s elections are both made of this. It holds no state: tokens and leases are
/// its callers'.
package struct LockClient: Sendable {
    package let store: any LockStore
    package let keys: LockKeys
    /// For messages.
    package let name: String
    package let policy: LockPolicy

    package init(store: any LockStore, keys: LockKeys, name: String, policy: LockPolicy) {
        self.store = store
        self.keys = keys
        self.name = name
        self.policy = policy
    }

    /// Competes for the lock until it is granted, `deadline` comes, or the task is cancelled.
    ///
    /// One fresh token for the whole call: an attempt whose answer was lost is recognised by the next. If the call ends
    /// without knowing whether an attempt was applied, that token is deleted in the store before it returns.
    ///
    /// - Parameters:
    ///   - token: the caller's own; nil: 128 random bits.
    ///   - holder: the holder record, made anew for every attempt.
    ///   - deadline: nil: for ever. One attempt is always made.
    ///   - sleep: the longest pause between two attempts; nil: as long as the rules allow.
    ///   - bell: rings when it is worth asking again, and nobody else of this process waits for the lock; nil: waits in
    ///     line with the others of this process, and subscribes when it is its turn.
    ///   - waiter: what earlier calls learned; nil: nothing.
    ///   - waiting: told each time the call begins to wait.
    /// - Returns: nil when `deadline` came first.
    /// - Throws: `LockError` when the store refuses for good, `CancellationError`. An unreachable store is waited for.
    package func compete(
        token: Bytes? = nil, holder: (@Sendable () -> Bytes)? = nil, fence: Int64 = 0, until deadline: Instant?,
        sleep: Duration? = nil, bell: Doorbell?, waiter: Waiter? = nil,
        waiting: @Sendable (Waiting) -> Void = { _ in }
    ) async throws -> LockGrant? {
        var attempt = Attempt(
            client: self, token: token ?? Token.fresh(), tokenIsFresh: token == nil, holder: holder, sleep: sleep,
            waiter: waiter ?? Waiter(policy, fence: fence))
        do {
            if let grant = try await attempt.once(waiting) { return grant }
            if let deadline, BootClock.now() >= deadline { return await finished(attempt) }
            if let bell {
                if let grant = try await attempt.repeated(until: deadline, bell: bell, waiting) { return grant }
                return await finished(attempt)
            }
        } catch {
            await withdraw(attempt)
            throw error
        }
        let asked = attempt
        let subject = WaitingRoom.Subject(lock: keys.lock, sleep: sleep)
        // What may hold the lock without knowing it cannot wait for others: they would wait for it.
        if asked.mayBeHeld { return try await subscribed(asked, until: deadline, waiting) }
        let turn = try await store.waitingRoom.withTurn(for: subject, until: deadline, news: waiting) {
            let grant = try await subscribed(asked, until: deadline) { news in
                store.waitingRoom.announce(news, to: subject)
                waiting(news)
            }
            return Turn(grant: grant)
        }
        return turn?.grant
    }

    /// What came of a turn in the waiting room.
    private struct Turn: Sendable { var grant: LockGrant? }

    /// Asks again at each announcement, and whenever else it makes sense.
    private func subscribed(
        _ asked: Attempt, until deadline: Instant?, _ waiting: @Sendable (Waiting) -> Void
    ) async throws -> LockGrant? {
        try await store.withAnnouncements(of: keys) { bell in
            // A release between the last attempt and the subscription would be missed: ask once more.
            bell.ring()
            var attempt = asked
            do {
                if let grant = try await attempt.repeated(until: deadline, bell: bell, waiting) { return grant }
                return await finished(attempt)
            } catch {
                await withdraw(attempt)
                throw error
            }
        }
    }

    private func finished(_ attempt: Attempt) async -> LockGrant? {
        await withdraw(attempt)
        return nil
    }

    /// Deletes what an unanswered attempt may have left, or may still leave until its `notAfter`.
    private func withdraw(_ attempt: Attempt) async {
        guard attempt.mayBeHeld, attempt.tokenIsFresh else { return }
        await uncancelled {
            // What is still on its way may come after the first; and a lost lock without a timeout never runs out.
            let void = attempt.voidAt ?? BootClock.now()
            let giveUp = max(void, BootClock.now()) + policy.answerTimeout * 3
            while true {
                let sentAt = BootClock.now()
                let isDone = (try? await release(token: attempt.token)) != nil  // asked again below
                if isDone, sentAt >= void { return }
                let pause = isDone ? void : BootClock.now() + policy.answerTimeout / 8
                guard pause < giveUp, (try? await BootClock.sleep(until: pause)) != nil else { return }
            }
        }
    }

    /// Renews, extends, puts back, or swaps the token.
    ///
    /// - Returns: the answer, with the instant before its request was sent.
    package func renew(
        token: Bytes, change: RenewRequest.Change, deadline: Instant?, fence: Int64?, holder: Bytes?,
        successor: RenewRequest.Successor? = nil, within timeout: Duration
    ) async throws(LockError) -> (reply: RenewReply, sentAt: Instant) {
        var request = RenewRequest(keys: keys, token: token, change: change)
        request.successor = successor
        request.guarding = policy.guarding
        request.fence = fence ?? 0
        request.holder = holder
        let sentAt = try leaseStart()
        if let deadline, let serverNow = store.serverTime() {
            request.notAfter = serverNow + (deadline - BootClock.now()).nanoseconds / 1000
        }
        let answer = try await store.renew(request, timeout: timeout)
        return (answer.reply, sentAt)
    }

    /// The instant that a lease counts from whose request is sent next: now, less what a slewed clock may hide.
    ///
    /// - Throws: `unavailable` while this machine's clock is slewed by more than a lease allows for.
    func leaseStart() throws(LockError) -> Instant {
        let deviation = ClockRate.deviation()
        guard deviation <= ClockRate.largestUsable else {
            let percent = Int(deviation * 100)
            throw LockError(
                .unavailable, lock: name, "this machine's clock is being slewed by \(percent) %: no lease is taken")
        }
        return BootClock.now() - policy.timing.timeout * deviation
    }

    /// Gives the lock back if `token` still holds it, and announces it. Shielded from cancellation by its callers.
    @discardableResult
    package func release(token: Bytes, mark: Mark? = nil) async throws(LockError) -> Bool {
        let request = ReleaseRequest(keys: keys, token: token, mark: mark, guarding: policy.guarding != nil)
        return try await store.release(request, timeout: policy.answerTimeout)
    }

    /// As ``release(token:mark:)``, shielded from cancellation.
    func releaseShielded(token: Bytes) async throws(LockError) -> Bool {
        if !Task.isCancelled {
            do throws(LockError) { return try await release(token: token) } catch {
                // A store may give up for a cancelled task: if nothing was sent, it is tried again.
                guard Task.isCancelled, error.isPassing, error.code != .unknownOutcome else { throw error }
            }
        }
        return try await uncancelled { () -> Result<Bool, LockError> in
            do throws(LockError) { return .success(try await release(token: token)) } catch { return .failure(error) }
        }.get()
    }

    package func look() async throws(LockError) -> LockView {
        try await store.look(at: keys, timeout: policy.answerTimeout)
    }
}

/// How a lock is asked for.
package struct LockPolicy: Sendable, Equatable {
    /// T and what goes with it. For a lock without a timeout only `requestTimeout` counts.
    package var timing: LeaseTiming
    /// False: the lock never expires.
    package var expires: Bool
    package var guarding: AcquireRequest.Guarding?
    package var fences: Bool
    package var heedsMarks: Bool

    /// How long an answer is waited for where no lease is at stake: a very short one still needs a request that can
    /// succeed.
    var answerTimeout: Duration { max(timing.attemptTimeout, min(timing.requestTimeout, .milliseconds(100))) }

    package init(
        timing: LeaseTiming, expires: Bool = true, guarding: AcquireRequest.Guarding?, fences: Bool, heedsMarks: Bool
    ) {
        self.timing = timing
        self.expires = expires
        self.guarding = guarding
        self.fences = fences
        self.heedsMarks = heedsMarks
    }
}

/// Why a call to `compete` is waiting.
package enum Waiting: Equatable, Sendable {
    case lock(WaitMachine.Reason, Sighting?)
    /// The store does not answer, or answers that it can't just now.
    case store(String)
}
