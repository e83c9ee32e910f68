// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem
import Glibc

/// What a store takes from the machine; tests choose their own.
package struct Surroundings: Sendable {
    /// Names this boot: leases of another one are void. Nil when the kernel does not say, and nothing is granted then.
    package var bootID: String?
    /// The clock of leases: `CLOCK_BOOTTIME`.
    package var now: @Sendable () -> Instant
    /// Wall-clock microseconds: the size of a fence, so that it goes on growing across boots. Decides nothing.
    package var wallMicroseconds: @Sendable () -> Int64

    /// Surroundings of the caller's choice.
    package init(
        bootID: String?, now: @escaping @Sendable () -> Instant, wallMicroseconds: @escaping @Sendable () -> Int64
    ) {
        self.bootID = bootID
        self.now = now
        self.wallMicroseconds = wallMicroseconds
    }

    /// This machine.
    package static var machine: Surroundings {
        Surroundings(
            bootID: readBootID(), now: { BootClock.now() },
            wallMicroseconds: {
                var reading = timespec()
                clock_gettime(CLOCK_REALTIME, &reading)
                return Int64(reading.tv_sec) * 1_000_000 + Int64(reading.tv_nsec) / 1000
            })
    }

    private static func readBootID() -> String? {
        let descriptor = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return nil }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &buffer, buffer.count)
        if count < 36 { return nil }
        return String(decoding: buffer[..<36], as: UTF8.self)
    }
}
