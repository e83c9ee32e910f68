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
    private var waiter: WaitMachine
    private var failures = 0
    /// When it makes sense to ask again.
    private(set) var nextTry: Instant
    /// An attempt was sent whose answer never came: the store may hold the lock for us.
    private(set) var mayBeHeld = false

    init(client: LockClient, token: Bytes, tokenIsFresh: Bool, holder: (@Sendable () -> Bytes)?, fence: Int64) {
        self.client = client
        self.token = token
        self.tokenIsFresh = tokenIsFresh
        self.holder = holder
        let policy = client.policy
        let longest = policy.guarding?.maxLockTimeout ?? policy.timing.timeout
        waiter = WaitMachine(
            timeout: policy.timing.timeout, maxLockTimeout: longest, longestWait: policy.longestWait, fence: fence)
        nextTry = BootClock.now()
    }

    /// One request. Nil: not granted, ask again at `nextTry`.
    mutating func once(_ waiting: @Sendable (Waiting) -> Void) async throws -> LockGrant? {
        try Task.checkCancellation()
        let policy = client.policy
        do {
            let sentAt = try client.leaseStart()
            let answer = try await client.store.acquire(
                request(at: BootClock.now()), timeout: policy.timing.attemptTimeout)
            failures = 0
            let arrival = BootClock.now()
            let decision = waiter.received(
                answer.reply, serverTime: answer.serverTime, at: arrival, jitter: .milliseconds(Int.random(in: 0...20)))
            switch decision {
            case .granted(let grant):
                // Too late to be of use: keep asking with this token, the store will set the TTL again.
                if policy.expires, arrival >= policy.timing.deadline(sentAt: sentAt) {
                    mayBeHeld = true
                    nextTry = arrival
                    return nil
                }
                return LockGrant(token: token, sentAt: sentAt, fence: grant.fence, failures: grant.failures)
            case .wait(let instant, let reason):
                nextTry = instant
                waiting(.lock(reason, answer.reply.sighting))
                return nil
            }
        } catch {
            if error.code == .unknownOutcome { mayBeHeld = true }
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

    private func request(at now: Instant) -> AcquireRequest {
        let policy = client.policy
        var request = AcquireRequest(
            keys: client.keys, token: token, tokenIsFresh: tokenIsFresh,
            timeout: policy.expires ? policy.timing.timeout : nil)
        request.holder = holder?()
        request.heedsMarks = policy.heedsMarks
        if policy.fences { request.fence = .init(floor: waiter.largestFence) }
        if var guarding = policy.guarding {
            guarding.nonce = waiter.nonceToPresent(at: now)
            guarding.claim = waiter.claimToPresent(at: now)
            request.guarding = guarding
        }
        if tokenIsFresh, policy.guarding != nil || policy.fences, let serverNow = client.store.serverTime() {
            request.notAfter = serverNow + policy.timing.attemptTimeout.nanoseconds / 1000
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
