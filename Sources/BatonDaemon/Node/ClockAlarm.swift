// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// Tells people that the store's clock went ahead of this node's (rule S10): runs may have ended for it.
final class ClockAlarm: Sendable {
    private struct Last {
        var jump: ClockJump
        var at: Instant
    }
    private let last = Mutex<Last?>(nil)

    /// - Parameter clock: the store's; nil: it is this machine's own, and there is nothing to tell.
    init(_ clock: StoreClock?, logger: Logger) {
        // For the life of the daemon, so it is never forgotten.
        _ = clock?.watch { [weak self] notice in
            guard case .ahead(let reading, let by) = notice, by >= ClockJump.worthTelling else { return }
            let jump = ClockJump(by: by, when: WallClock.rfc3339())
            self?.last.withLock { $0 = Last(jump: jump, at: reading.arrival) }
            logger.log(level: .warning, "\(jump.sentence)", event: .clockJumped, metadata: ["ahead": "\(by)"])
        }
    }

    /// The last jump, for an hour.
    var jump: ClockJump? {
        last.withLock { $0.flatMap { BootClock.now() - $0.at < .seconds(3600) ? $0.jump : nil } }
    }
}
