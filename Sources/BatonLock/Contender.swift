// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem

/// One acquire call on its way to the lock: one token for all its requests, one waiter's memory.
///
/// A request whose answer was lost is recognised by the next. If the call ends without knowing whether one was applied,
/// its token is deleted in the store before it returns; where that is not possible, ``doubt`` tells.
package final class Contender {
    private let client: LockClient
    private let waiter: Waiter
    private let sleep: Duration?
    private let handicap: Duration
    private let holder: (() -> Bytes)?
    private let tell: ((Waiting) -> Void)?
    private var request: AcquireRequest
    private var failures = 0
    /// When it makes sense to ask again.
    private var nextTry = Instant(nanoseconds: 0)
    /// A request was sent whose answer never came: the store may hold the lock for us.
    private var mayBeHeld: Bool
    /// From then on the store refuses what is still on its way; nil: nothing is.
    private var voidAt: Instant?
    /// Why the lock was not granted so far; nil: it is not known.
    private(set) var news: Waiting?
    /// What the store may hold the lock for, now or later, although the call has ended; nil: nothing.
    private(set) var doubt: Doubt?

    /// - Parameters:
    ///   - client: the lock.
    ///   - token: the caller's own; nil: 128 random bits.
    ///   - doubt: an earlier call's, which may hold the lock with a token of ours: then that token is used.
    ///   - sleep: the longest pause between two requests; nil: as long as the rules allow.
    ///   - handicap: so much later than it might it asks, each time: others go first.
    ///   - waiter: what earlier calls learned.
    ///   - holder: the holder record, made anew for every request.
    ///   - tell: told each time the call begins to wait.
    package init(
        _ client: LockClient, token: Bytes? = nil, after doubt: Doubt? = nil, sleep: Duration? = nil,
        handicap: Duration = .zero, waiter: Waiter, holder: (() -> Bytes)? = nil, tell: ((Waiting) -> Void)? = nil
    ) {
        self.client = client
        self.waiter = waiter
        self.sleep = sleep
        self.handicap = handicap
        self.holder = holder
        self.tell = tell
        mayBeHeld = doubt != nil
        request = AcquireRequest(
            keys: client.keys, token: token ?? doubt?.token ?? Token.fresh(), tokenIsFresh: token == nil,
            timeout: client.policy.expires ? client.policy.timing.timeout : nil)
        request.heedsMarks = client.policy.heedsMarks
    }

    /// Competes for the lock until it is granted, `deadline` comes, or the task is cancelled.
    ///
    /// - Parameters:
    ///   - deadline: nil: for ever. When it has passed already, the store is asked once.
    ///   - bell: rings when it is worth asking again; nil: listens for announcements itself.
    ///   - place: the first of its line, which is told how the lock stands; nil: nobody else of this process waits.
    /// - Returns: nil when `deadline` came first.
    /// - Throws: `LockError` when the store refuses for good, `CancellationError`. An unreachable store is waited for.
    package func compete(
        until deadline: Instant?, bell: Doorbell? = nil, in place: WaitingRoom.Place? = nil
    ) async throws -> LockGrant? {
        do {
            if let grant = try await contest(until: deadline, bell: bell, in: place) { return grant }
        } catch {
            if mayBeHeld { doubt = await withdraw() }
            throw error
        }
        if mayBeHeld { doubt = await withdraw() }
        return nil
    }

    private func contest(
        until deadline: Instant?, bell: Doorbell?, in place: WaitingRoom.Place?
    ) async throws -> LockGrant? {
        await standBack(bell)
        if let grant = try await ask() { return grant }
        tellOthers(in: place)
        if let deadline, BootClock.now() >= deadline { return nil }
        if let bell { return try await askAgain(until: deadline, bell: bell, in: place) }
        return try await client.store.withAnnouncements(of: client.keys) { bell in
            // A release between the last request and the subscription would be missed: ask once more.
            bell.ring()
            return try await askAgain(until: deadline, bell: bell, in: place)
        }
    }

    /// Asks again and again. Nil when `deadline` leaves no time for another request.
    private func askAgain(
        until deadline: Instant?, bell: Doorbell, in place: WaitingRoom.Place?
    ) async throws -> LockGrant? {
        while true {
            if let deadline, nextTry > deadline {
                await bell.wait(until: deadline)
                if BootClock.now() >= deadline { return nil }
            } else {
                await bell.wait(until: nextTry)
            }
            // A request that the store had too late is made again at once: it has stood back.
            if !wasLate { await standBack(bell) }
            if let grant = try await ask() { return grant }
            tellOthers(in: place)
        }
    }

    private var wasLate: Bool { if case .lock(.late, _) = news { true } else { false } }

    /// Lets those who have no handicap ask first; also when the lock is taken and given back meanwhile. Whoever holds it
    /// afterwards keeps it.
    private func standBack(_ bell: Doorbell?) async {
        guard handicap > .zero else { return }
        let bell = bell ?? Doorbell()
        var end = BootClock.now() + handicap
        while !Task.isCancelled {
            await bell.wait(until: end)
            let now = BootClock.now()
            if now >= end { return }
            end = now + handicap
        }
    }

    private func tellOthers(in place: WaitingRoom.Place?) {
        if let place, let news { client.store.waitingRoom.tell(news, to: place) }
    }

    // MARK: One request

    /// Nil: not granted, ask again at `nextTry`.
    private func ask() async throws -> LockGrant? {
        try Task.checkCancellation()
        // Without the store's time the request could not be made void: one look brings it.
        if isTimed, client.store.serverTime() == nil, case .failure(let error) = await client.outcomeOfLook() {
            try failed(error, asked: nil)
            return nil
        }
        let asked = BootClock.now()
        switch await outcomeOfRequest(at: asked) {
        case .success(let grant?):
            // Nobody renews or remembers this one: an earlier request that is still on its way must not come after its
            // release, and lock everybody out for ever.
            // (Ended early: cancelled.)
            if !client.policy.expires, let voidAt { try? await BootClock.sleep(until: voidAt) }
            return grant
        case .success(nil): return nil
        case .failure(let error):
            try failed(error, asked: asked)
            return nil
        }
    }

    private func outcomeOfRequest(at now: Instant) async -> Result<LockGrant?, LockError> {
        do throws(LockError) {
            let sentAt = try client.leaseStart()
            prepareRequest(at: now)
            let answer = try await client.store.acquire(request, timeout: client.policy.answerTimeout)
            return .success(received(answer, sentAt: sentAt))
        } catch {
            return .failure(error)
        }
    }

    /// Whether requests say until when they count. The caller's own token and nothing else is the seed's plain SET NX.
    private var isTimed: Bool { request.tokenIsFresh || client.policy.guarding != nil || client.policy.fences }

    @inline(never)
    private func prepareRequest(at now: Instant) {
        if let holder { request.holder = holder() }
        if client.policy.fences { request.fence = .init(floor: waiter.largestFence) }
        if var guarding = client.policy.guarding {
            (guarding.nonce, guarding.claim) = waiter.presents(at: now)
            request.guarding = guarding
        }
        if isTimed, let serverNow = client.store.serverTime() {
            request.notAfter = serverNow + client.policy.answerTimeout.nanoseconds / 1000
        }
    }

    @inline(never)
    private func received(_ answer: Stamped<AcquireReply>, sentAt: Instant) -> LockGrant? {
        failures = 0
        let arrival = BootClock.now()
        switch waiter.received(answer, at: arrival, longestWait: sleep) {
        case .granted(let grant):
            // Too late to be of use: keep asking with this token, the store will set the TTL again.
            if client.policy.expires, arrival >= client.policy.timing.deadline(sentAt: sentAt) {
                mayBeHeld = true
                nextTry = arrival
                return nil
            }
            return LockGrant(token: request.token, sentAt: sentAt, fence: grant.fence, failures: grant.failures)
        case .wait(let instant, let reason):
            nextTry = instant
            waits(.lock(reason, answer.reply.sighting))
            return nil
        }
    }

    /// - Parameter asked: when the request was made that failed; nil: it grants nothing.
    @inline(never)
    private func failed(_ error: LockError, asked: Instant?) throws(LockError) {
        let patience = client.policy.answerTimeout
        if let asked, error.code == .unknownOutcome {
            mayBeHeld = true
            voidAt = asked + patience + LeaseTiming.margin(of: patience)
        }
        guard error.isPassing else { throw error }
        failures += 1
        let backOff = min(Duration.milliseconds(25) * (1 << min(failures, 6)), .seconds(1))
        nextTry = BootClock.now() + backOff * Double.random(in: 0.5...1)
        waits(.store(error))
    }

    private func waits(_ reason: Waiting) {
        news = reason
        tell?(reason)
    }

    // MARK: The end without a lock

    /// Deletes what an unanswered request may have left, or may still leave until its `notAfter`.
    private func withdraw() async -> Doubt? {
        let doubt = Doubt(token: request.token, tokenIsFresh: request.tokenIsFresh)
        // A token of the caller's own may be somebody else's as well: what it holds is not ours to delete.
        guard request.tokenIsFresh else { return doubt }
        let (client, token, voidAt) = (client, request.token, voidAt)
        let isGone = await uncancelled { () -> Bool in
            // What is still on its way may come after the first; and a lost lock without a timeout never runs out.
            let patience = client.policy.answerTimeout
            let void = voidAt ?? BootClock.now()
            let giveUp = max(void, BootClock.now()) + patience * 3
            while true {
                let sentAt = BootClock.now()
                let isDone = (try? await client.release(token: token)) != nil  // asked again below
                if isDone, sentAt >= void { return true }
                let pause = isDone ? void : BootClock.now() + patience / 8
                guard pause < giveUp, (try? await BootClock.sleep(until: pause)) != nil else { return false }
            }
        }
        return isGone ? nil : doubt
    }
}

extension AcquireReply {
    /// What was seen of the holder, if there is one.
    var sighting: Sighting? {
        switch self {
        case .held(let sighting), .orphaned(let sighting): sighting
        case .granted, .unsettled, .marked, .late: nil
        }
    }
}
