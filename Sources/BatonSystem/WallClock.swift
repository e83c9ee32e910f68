// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The wall clock, for people. Nothing is decided by it.
package enum WallClock {
    /// Now, in microseconds since 1970.
    package static func microseconds() -> Int64 {
        var reading = timespec()
        clock_gettime(CLOCK_REALTIME, &reading)
        return Int64(reading.tv_sec) * 1_000_000 + Int64(reading.tv_nsec) / 1000
    }

    /// Now, as RFC 3339 in UTC, to the second, or to the millisecond.
    package static func rfc3339(milliseconds: Bool = false) -> String {
        var reading = timespec()
        clock_gettime(CLOCK_REALTIME, &reading)
        var parts = tm()
        gmtime_r(&reading.tv_sec, &parts)
        let fraction = milliseconds ? "." + String(1000 + reading.tv_nsec / 1_000_000).dropFirst() : ""
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))\(fraction)Z"
    }
}
