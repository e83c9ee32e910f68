// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The wall clock, for people. Nothing is decided by it.
enum WallClock {
    /// Now, as RFC 3339 in UTC, to the second.
    static func rfc3339() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }
}
