// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A machine's CLOCK_BOOTTIME: it starts anywhere and ticks a little fast or slow.
struct NodeClock {
    private var origin: Int64
    private var base: Int64
    /// How much faster than true time it ticks, in millionths.
    private(set) var rate: Int64

    init(base: Int64, rate: Int64, at truth: Int64) {
        origin = truth
        self.base = base
        self.rate = rate
    }

    func local(at truth: Int64) -> Instant {
        let elapsed = truth - origin
        return Instant(
            nanoseconds: base + elapsed + elapsed / 1_000_000 * rate + elapsed % 1_000_000 * rate / 1_000_000)
    }

    /// The earliest true time at which the clock shows `instant`, or more.
    func truth(of instant: Instant) -> Int64 {
        let shown = instant.nanoseconds - base
        let scale = 1_000_000 + rate
        var truth = origin + shown / scale * 1_000_000 + shown % scale * 1_000_000 / scale
        while local(at: truth) < instant { truth += 1 }
        while local(at: truth - 1) >= instant { truth -= 1 }
        return truth
    }

    /// From now on it ticks at this rate.
    mutating func change(to rate: Int64, at truth: Int64) {
        base = local(at: truth).nanoseconds
        origin = truth
        self.rate = rate
    }

    /// It stood still: a hypervisor had paused the machine.
    mutating func skip(from start: Int64, to end: Int64) {
        base = local(at: start).nanoseconds
        origin = end
    }
}
