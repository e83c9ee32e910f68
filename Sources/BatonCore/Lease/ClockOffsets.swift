// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The least offset between the store's clock and ours over the recent past (rule S6).
///
/// Each reply gives a sample: the server's TIME minus its arrival here. Latency only makes a sample smaller, a clock
/// that was stepped shows as samples that differ. Two windows of at least the asked length slide over the samples, so
/// that one slow reply is forgotten after a while.
///
/// Between two samples the clock may have gone back and forth unseen. So after a long silence nothing is known of what came
/// before it.
package struct ClockOffsets: Equatable, Sendable {
    private struct Window: Equatable, Sendable {
        var since: Instant
        var least: Int64
    }
    private let length: Duration
    private var current: Window?
    private var previous: Window?
    /// The last sample.
    private var latest: Instant?

    /// - Parameter length: how far back the least offset has to reach.
    package init(length: Duration) { self.length = length }

    /// The server's time minus ours, in microseconds.
    package static func offset(serverTime: Int64, arrival: Instant) -> Int64 {
        serverTime &- arrival.nanoseconds / 1000
    }

    package mutating func add(_ offset: Int64, at arrival: Instant) {
        // Who waits asks at least once in a lease; who held the lock itself has asked nothing.
        if let latest, arrival - latest > length * 2 {
            current = nil
            previous = nil
        }
        latest = arrival
        guard let window = current else {
            current = Window(since: arrival, least: offset)
            return
        }
        if arrival - window.since >= length {
            previous = window
            current = Window(since: arrival, least: offset)
        } else {
            current?.least = min(window.least, offset)
        }
    }

    /// When the oldest sample still counted arrived; nil without any.
    package var since: Instant? { previous?.since ?? current?.since }

    /// The least offset since then; nil without any sample.
    package var least: Int64? {
        guard let current else { return nil }
        return min(current.least, previous?.least ?? current.least)
    }
}
