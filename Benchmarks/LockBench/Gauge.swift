// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc

/// What this process has used so far.
struct Gauge {
    /// `CLOCK_BOOTTIME`, in nanoseconds.
    let elapsed: Int64
    /// Processor time of all threads, in user and kernel mode, in nanoseconds.
    let processor: Int64

    static func now() -> Gauge { Gauge(elapsed: read(CLOCK_BOOTTIME), processor: read(CLOCK_PROCESS_CPUTIME_ID)) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// `RssAnon` of this process, in bytes: what it has to itself.
    static func memory() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") }
        guard let kilobytes = line.flatMap({ Int($0.split(separator: " ", omittingEmptySubsequences: true)[1]) }) else {
            throw Unexpected(what: "the kernel does not tell RssAnon")
        }
        return kilobytes * 1024
    }
}
