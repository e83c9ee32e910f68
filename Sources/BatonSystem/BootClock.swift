// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
import Glibc

/// This machine's `CLOCK_BOOTTIME`: it counts suspend and is never set.
public enum BootClock {
    /// Nanoseconds since boot, now.
    public static func now() -> Instant {
        var reading = timespec()
        clock_gettime(CLOCK_BOOTTIME, &reading)
        return Instant(nanoseconds: Int64(reading.tv_sec) * 1_000_000_000 + Int64(reading.tv_nsec))
    }
}
