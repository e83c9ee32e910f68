// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import CLinux

/// How this machine's clocks tick. NTP slews them; chrony by up to 8 %, `CLOCK_BOOTTIME` too.
package enum ClockRate {
    /// The largest deviation with which a lease is still taken: what the drift margin of every lease covers.
    package static let largestUsable = 0.01

    /// How far from nominal the clocks tick now, as a fraction of 1.
    package static func deviation() -> Double { clinux_clock_deviation() }
}
