// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One waiter for one lock: what it may present to the store, and when to ask again.
///
/// A wait counts from the *arrival* of the reply that asked for it (a lease counts from before the send). A waiter
/// never depends on an announcement: it asks again at the moment that the rules allow, at the latest.
package struct WaitMachine: Equatable, Sendable {
    /// Why the lock was not granted, for people.
    package enum Reason: Equatable, Sendable {
        case held
        case orphaned
        case unsettled(until: Instant)
        case marked(Mark)
        case late
    }

    package enum Decision: Equatable, Sendable {
        case granted(AcquireReply.Grant)
        /// The claim is to be decided on anew.
        case ledger(LedgerView)
        case wait(until: Instant, Reason)
    }

    /// What is known of the holder that was seen last.
    private struct Seen: Equatable, Sendable {
        var owner: Bytes
        /// When the reply that first brought this record arrived.
        var first: Instant
        /// The lease length that the record names.
        var timeout: Duration
        /// How long nobody here had looked at the server's clock when the record was made.
        var unwatched: Duration
        /// When the key had `timeToLive` left, by our clock, and the offset of that reply.
        var expiry: (at: Instant, offset: Int64)?
        /// The record is unchanged by then for the lease's whole length.
        var isOldAt: Instant { first + timeout }

        static func == (left: Seen, right: Seen) -> Bool {
            left.owner == right.owner && left.first == right.first && left.timeout == right.timeout
                && left.unwatched == right.unwatched && left.expiry?.at == right.expiry?.at
                && left.expiry?.offset == right.expiry?.offset
        }
    }

    /// How long to wait when nothing better is known: a foreign lock without a TTL, a mark.
    private let idleWait: Duration
    private var nonce: (value: Bytes, usableAt: Instant)?
    private var seen: Seen?
    private var offsets: ClockOffsets
    /// The last answer that said who holds the lock: when it arrived, and the server's clock against ours.
    private var sighted: (at: Instant, offset: Int64)?
    /// The largest fence that any reply showed.
    package private(set) var largestFence: Int64

    /// - Parameters:
    ///   - timeout: the lock's own timeout: how far back the server's clock must be known.
    ///   - maxLockTimeout: the store's constant: no lease is longer.
    ///   - fence: the largest fence known so far.
    package init(timeout: Duration, maxLockTimeout: Duration, fence: Int64 = 0) {
        idleWait = maxLockTimeout
        offsets = ClockOffsets(length: timeout)
        largestFence = fence
    }

    package static func == (left: WaitMachine, right: WaitMachine) -> Bool {
        left.idleWait == right.idleWait && left.seen == right.seen && left.offsets == right.offsets
            && left.sighted?.at == right.sighted?.at && left.sighted?.offset == right.sighted?.offset
            && left.largestFence == right.largestFence && left.nonce?.value == right.nonce?.value
            && left.nonce?.usableAt == right.nonce?.usableAt
    }

    /// Whether a wait that begins anew may take longer for want of what is known here.
    package var hasLearned: Bool { seen != nil || nonce != nil }

    /// There was such a fence.
    package mutating func note(fence: Int64) { largestFence = max(largestFence, fence) }

    /// The nonce, once it has been waited for.
    package func nonceToPresent(at now: Instant) -> Bytes? {
        guard let nonce, now >= nonce.usableAt else { return nil }
        return nonce.value
    }

    /// The owner record of a lock that nobody gave back, once its lease is over by our clock.
    package func claimToPresent(at now: Instant) -> Bytes? {
        guard let seen, now >= claimAllowed(seen) else { return nil }
        return seen.owner
    }

    /// - Parameters:
    ///   - jitter: up to 20 ms, drawn by the caller, so that waiters do not all ask at once.
    ///   - longestWait: the upper bound of the wait; nil: none. The library's `sleep`, for holders that release without
    ///     a word.
    package mutating func received(
        _ reply: AcquireReply, serverTime: Int64, at arrival: Instant, jitter: Duration, longestWait: Duration? = nil
    ) -> Decision {
        let decision = received(reply, serverTime: serverTime, at: arrival, jitter: jitter)
        guard let longestWait, case .wait(let instant, let reason) = decision else { return decision }
        return .wait(until: min(instant, arrival + longestWait), reason)
    }

    private mutating func received(
        _ reply: AcquireReply, serverTime: Int64, at arrival: Instant, jitter: Duration
    ) -> Decision {
        let offset = ClockOffsets.offset(serverTime: serverTime, arrival: arrival)
        offsets.add(offset, at: arrival)
        switch reply {
        case .granted(let grant):
            largestFence = max(largestFence, grant.fence ?? 0)
            return .granted(grant)
        case .held(let sighting):
            note(sighting, offset: offset, at: arrival)
            return .wait(until: nextTry(after: sighting, at: arrival) + jitter, .held)
        case .orphaned(let sighting):
            note(sighting, offset: offset, at: arrival)
            return .wait(until: nextTry(after: sighting, at: arrival) + jitter, .orphaned)
        case .unsettled(let value, let wait):
            if nonce?.value != value { nonce = (value, arrival + wait) }
            let usableAt = nonce?.usableAt ?? arrival + wait
            return .wait(until: usableAt + jitter, .unsettled(until: usableAt))
        case .marked(let mark):
            return .wait(until: arrival + (mark.remaining ?? idleWait) + jitter, .marked(mark))
        case .ledger(let view):
            largestFence = max(largestFence, view.entry?.fence ?? 0)
            return .ledger(view)
        case .late:
            return .wait(until: arrival + .milliseconds(10) + jitter, .late)
        }
    }

    private mutating func note(_ sighting: Sighting, offset: Int64, at arrival: Instant) {
        defer { sighted = (arrival, offset) }
        largestFence = max(largestFence, sighting.fence)
        guard let owner = sighting.owner else {
            seen = nil
            return
        }
        if seen?.owner != owner {
            let timeout = sighting.timeout ?? idleWait
            seen = Seen(
                owner: owner, first: arrival, timeout: timeout,
                unwatched: unwatched(left: sighting.timeToLive, of: timeout, offset: offset, at: arrival), expiry: nil)
        }
        if let left = sighting.timeToLive { seen?.expiry = (arrival + left, offset) }
    }

    /// How long nobody here had looked at the server's clock when it made a record that was not there at the last sight.
    private func unwatched(left: Duration?, of timeout: Duration, offset: Int64, at arrival: Instant) -> Duration {
        let known = offsets.since.map { arrival - $0 } ?? .zero
        guard let left, let sighted else { return known }
        let passed = arrival - sighted.at
        let made = passed + .microseconds(offset &- sighted.offset) + left - timeout
        return min(known, passed, max(made, .zero))
    }

    /// When rule S6 lets us claim a lock that nobody gave back: its owner's record unchanged for the lease's whole length,
    /// or, if the server's clock is known to have run evenly for that long, the end of the TTL that we saw.
    private func claimAllowed(_ seen: Seen) -> Instant {
        guard let expiry = seen.expiry, let baseline = offsets.since, let least = offsets.least else {
            return seen.isOldAt
        }
        // While it was not looked at, a clock that is slow may have hidden a part of a step.
        let byTTL = expiry.at + .microseconds(expiry.offset - least) + seen.unwatched / 100
        return min(seen.isOldAt, max(byTTL, baseline + seen.timeout))
    }

    private func nextTry(after sighting: Sighting, at arrival: Instant) -> Instant {
        let gone = sighting.timeToLive.map { arrival + $0 }
        guard let seen else { return gone ?? arrival + idleWait }
        let allowed = claimAllowed(seen)
        if let gone {
            // A server whose clock was put back keeps the key for longer.
            return gone > seen.isOldAt && seen.isOldAt > arrival ? seen.isOldAt : max(gone, allowed)
        }
        // Our claim was allowed already, or never will be by this record: do not ask again at once.
        return sighting.owner == nil ? arrival + idleWait : max(allowed, arrival + .milliseconds(1))
    }
}
