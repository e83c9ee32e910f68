// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A reading of `CLOCK_BOOTTIME`: nanoseconds since the machine booted, suspend included.
///
/// Every deadline in Baton is one of these. Wall clocks are never used for a decision about a lease.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since boot.
    public var nanoseconds: Int64

    /// An instant at so many nanoseconds since boot.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Later than anything that happens: a wait until then ends by other means.
    public static var distantFuture: Instant { Instant(nanoseconds: .max) }

    /// Earlier instants come first.
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The instant so much later; it stays at the end of time instead of overflowing.
    public static func + (left: Instant, right: Duration) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return Instant(nanoseconds: overflow ? (right < .zero ? .min : .max) : sum)
    }

    /// The instant so much earlier.
    public static func - (left: Instant, right: Duration) -> Instant { left + (Duration.zero - right) }

    /// How much later `left` is than `right`; negative when it is earlier.
    public static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds) - .nanoseconds(right.nanoseconds)
    }
}

extension Duration {
    /// Whole nanoseconds, rounded toward zero; durations past ±292 years stay at that bound.
    public var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (scaled, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, overflow2) = scaled.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow2 ? (seconds < 0 ? .min : .max) : sum
    }

    /// Whole microseconds, rounded toward zero.
    package var microseconds: Int64 { nanoseconds / 1000 }

    /// Whole milliseconds, rounded toward zero.
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
