// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The arithmetic of a lease, from the lock timeout T and what this machine needs to end a workload.
///
/// A lease counts from the instant *before* its request was sent, and ends `drift` before the store may grant the lock
/// to somebody else: time for clocks that tick a little differently, and for the kill itself.
package struct LeaseTiming: Hashable, Sendable {
    /// T: the TTL that every renewal sets.
    package let timeout: Duration
    /// How late a KILL may land: 50 ms with real-time priority, 250 ms without, zero where nothing is killed.
    package let killLatency: Duration
    /// The longest that one request is waited for.
    package let requestTimeout: Duration
    /// What is taken off every lease: T/100 for clocks, the kill, and 2 ms for rounding.
    package let drift: Duration
    /// How long one attempt is waited for: the store's limit, but never more than T/6.
    package let attemptTimeout: Duration
    /// How much before its time a renewal may be sent: less than the pause after a failed one.
    package let earliness: Duration

    /// - Parameters:
    ///   - timeout: the lock timeout.
    ///   - killLatency: how late a KILL may land on this machine.
    ///   - requestTimeout: the store's `request_timeout`.
    package init(timeout: Duration, killLatency: Duration, requestTimeout: Duration) {
        self.timeout = timeout
        self.killLatency = killLatency
        self.requestTimeout = requestTimeout
        drift = LeaseTiming.margin(of: timeout) + killLatency
        attemptTimeout = min(requestTimeout, timeout / 6)
        earliness = attemptTimeout / 6
    }

    /// What is taken off a lease of this length where nothing has to be killed.
    package static func margin(of length: Duration) -> Duration { length / 100 + .milliseconds(2) }

    /// D: when a lease ends whose request was about to be sent at `sent`.
    package func deadline(sentAt sent: Instant) -> Instant { sent + timeout - drift }

    /// When the next renewal is due after a request sent at `sent` succeeded.
    package func renewalDue(sentAt sent: Instant) -> Instant { sent + timeout / 3 }

    /// The pause after a failed renewal: a third of an attempt, plus up to as much again.
    ///
    /// - Parameter jitter: 0 ..< 1, drawn by the caller.
    package func retryDelay(jitter: Double) -> Duration {
        let base = attemptTimeout / 3
        return base + base * jitter
    }
}
