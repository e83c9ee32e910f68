// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
package import BatonSystem

extension BootClock {
    /// Sleeps until a boot-time instant; at once when it has passed.
    ///
    /// - Throws: `CancellationError` when the task is cancelled.
    package static func sleep(until deadline: Instant) async throws {
        // ContinuousClock reads CLOCK_BOOTTIME on Linux, so the two run side by side through a suspend. In pieces of a
        // day, because a timer that is centuries away overflows.
        while true {
            let left = deadline - now()
            if left <= .zero { return }
            try await Task.sleep(
                until: ContinuousClock.now + min(left, .seconds(86_400)), tolerance: .zero, clock: .continuous)
        }
    }
}
