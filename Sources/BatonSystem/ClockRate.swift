// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import CLinux
import Synchronization

/// How this machine's clocks tick. NTP slews them; chrony by up to 8 %, `CLOCK_BOOTTIME` too.
package enum ClockRate {
    /// The largest deviation with which a lease is still taken: what the drift margin of every lease covers.
    package static let largestUsable = 0.01

    /// A reading is good for so long: whatever is set a moment later cannot be seen before a send either.
    private static let shelfLife: Int64 = 100_000_000
    private static let readAt = Atomic<Int64>(.min)
    private static let lastReading = Atomic<UInt64>(0)

    /// How far from nominal the clocks tick, as a fraction of 1, not longer than 0.1 s ago.
    package static func deviation(at now: Instant) -> Double {
        let age = now.nanoseconds &- readAt.load(ordering: .acquiring)
        if (0..<shelfLife).contains(age) { return Double(bitPattern: lastReading.load(ordering: .relaxed)) }
        let reading = clinux_clock_deviation()
        lastReading.store(reading.bitPattern, ordering: .relaxed)
        readAt.store(now.nanoseconds, ordering: .releasing)
        return reading
    }
}
