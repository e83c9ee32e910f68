// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Synchronization

/// One timer that can be set anew at any time; `run` calls out when it goes off.
final class Alarm: Sendable {
    private let due = Mutex<Instant?>(nil)
    private let changed = Doorbell()

    /// Goes off then, instead of whenever it was set to before.
    func set(_ instant: Instant) {
        let earlier = due.withLock { due in
            let before = due
            due = instant
            return before.map { instant < $0 } ?? true
        }
        // A later instant needs no hurry: the sleeper looks at it when it wakes.
        if earlier { changed.ring() }
    }

    /// Sleeps and calls `goOff`, until the task is cancelled.
    func run(_ goOff: @Sendable () -> Void) async {
        while !Task.isCancelled {
            await changed.wait(until: due.withLock { $0 } ?? Instant(nanoseconds: .max))
            let now = BootClock.now()
            let isDue = due.withLock { due in
                guard let instant = due, now >= instant else { return false }
                due = nil
                return true
            }
            if isDue { goOff() }
        }
    }
}
