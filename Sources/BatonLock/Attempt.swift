// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// The attempts of one acquire call: one token, one waiter's memory.
struct Attempt: Sendable {
    let client: LockClient
    let token: Bytes
    let tokenIsFresh: Bool
    let holder: (@Sendable () -> Bytes)?
    private let sleep: Duration?
    private let waiter: Waiter
    private var failures = 0
    /// When it makes sense to ask again.
    private(set) var nextTry: Instant
    /// An attempt was sent whose answer never came: the store may hold the lock for us.
    private(set) var mayBeHeld = false
    /// From then on the store refuses what is still on its way; nil: nothing is.
    private(set) var voidAt: Instant?

    init(
        client: LockClient, token: Bytes, tokenIsFresh: Bool, holder: (@Sendable () -> Bytes)?, sleep: Duration?,
        waiter: Waiter
    ) {
        self.client = client
        self.token = token
        self.tokenIsFresh = tokenIsFresh
        self.holder = holder
        self.sleep = sleep
        self.waiter = waiter
        nextTry = BootClock.now()
    }

    /// One request. Nil: not granted, ask again at `nextTry`.
    mutating func once(_ waiting: @Sendable (Waiting) -> Void) async throws -> LockGrant? {
        try Task.checkCancellation()
        let policy = client.policy
        var asked = BootClock.now()
        do {
            if isTimed, client.store.serverTime() == nil {
                // Without the store's time the request could not be made void: one look brings it.
                _ = try await client.look()
            }
            asked = BootClock.now()
            let sentAt = try client.leaseStart()
            let answer = try await client.store.acquire(request(at: asked), timeout: policy.answerTimeout)
            failures = 0
            let arrival = BootClock.now()
            switch waiter.received(answer, at: arrival, longestWait: sleep) {
            case .granted(let grant):
                // Too late to be of use: keep asking with this token, the store will set the TTL again.
                if policy.expires, arrival >= policy.timing.deadline(sentAt: sentAt) {
                    mayBeHeld = true
                    nextTry = arrival
                    return nil
                }
                // Nobody renews or remembers this one: an earlier attempt that is still on its way must not come after
                // its release, and lock everybody out for ever.
                if !policy.expires, let voidAt { try? await BootClock.sleep(until: voidAt) }
                return LockGrant(token: token, sentAt: sentAt, fence: grant.fence, failures: grant.failures)
            case .wait(let instant, let reason):
                nextTry = instant
                waiting(.lock(reason, answer.reply.sighting))
                return nil
            }
        } catch {
            if error.code == .unknownOutcome {
                mayBeHeld = true
                voidAt = asked + policy.answerTimeout + LeaseTiming.margin(of: policy.answerTimeout)
            }
            guard error.isPassing else { throw error }
            failures += 1
            let backOff = min(Duration.milliseconds(25) * (1 << min(failures, 6)), .seconds(1))
            nextTry = BootClock.now() + backOff * Double.random(in: 0.5...1)
            waiting(.store(error.message))
            return nil
        }
    }

    /// Asks again and again. Nil when `deadline` leaves no time for another attempt.
    mutating func repeated(
        until deadline: Instant?, bell: Doorbell, _ waiting: @Sendable (Waiting) -> Void
    ) async throws -> LockGrant? {
        while true {
            if let deadline, nextTry > deadline {
                await bell.wait(until: deadline)
                if BootClock.now() >= deadline { return nil }
            } else {
                await bell.wait(until: nextTry)
            }
            if let grant = try await once(waiting) { return grant }
        }
    }

    /// Whether requests say until when they count. The caller's own token and nothing else is the seed's plain SET NX.
    private var isTimed: Bool { tokenIsFresh || client.policy.guarding != nil || client.policy.fences }

    private func request(at now: Instant) -> AcquireRequest {
        let policy = client.policy
        var request = AcquireRequest(
            keys: client.keys, token: token, tokenIsFresh: tokenIsFresh,
            timeout: policy.expires ? policy.timing.timeout : nil)
        request.holder = holder?()
        request.heedsMarks = policy.heedsMarks
        if policy.fences { request.fence = .init(floor: waiter.largestFence) }
        if var guarding = policy.guarding {
            (guarding.nonce, guarding.claim) = waiter.presents(at: now)
            request.guarding = guarding
        }
        if isTimed, let serverNow = client.store.serverTime() {
            request.notAfter = serverNow + policy.answerTimeout.nanoseconds / 1000
        }
        return request
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
