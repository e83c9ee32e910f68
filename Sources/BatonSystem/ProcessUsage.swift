// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// What this process uses of the machine, by `/proc`.
package struct ProcessUsage: Sendable {
    /// In user and system mode.
    package let cpuSeconds: Double
    package let residentBytes: Int
    package let openDescriptors: Int
    /// Seconds since 1970, by the wall clock as it is set now.
    package let startedAt: Double

    /// Now; nil: `/proc` does not say.
    package static func now() -> ProcessUsage? {
        guard let text = ((try? Files.read("/proc/self/stat", limit: 4096)) ?? nil) else { return nil }
        // The program's name is in parentheses and may contain anything, parentheses as well.
        guard let close = text.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = text[(close + 1)...].split(separator: UInt8(ascii: " ")).map {
            String(decoding: $0, as: UTF8.self)
        }
        // proc(5) counts from 1, with two fields before these.
        func number(_ field: Int) -> Double? { fields.count > field - 3 ? Double(fields[field - 3]) : nil }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        guard let user = number(14), let system = number(15), let started = number(22), let pages = number(24),
            ticks > 0
        else { return nil }
        let sinceBoot = Double(BootClock.now().nanoseconds) / 1e9
        let wall = Double(WallClock.microseconds()) / 1e6
        return ProcessUsage(
            cpuSeconds: (user + system) / ticks, residentBytes: Int(pages) * sysconf(Int32(_SC_PAGESIZE)),
            // One of them is open to look.
            openDescriptors: max(0, Files.entries(in: "/proc/self/fd").count - 1),
            startedAt: wall - sinceBoot + started / ticks)
    }
}
