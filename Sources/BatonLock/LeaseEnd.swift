// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// D of a lease that is being renewed, for whoever waits for it to pass.
final class LeaseEnd: Sendable {
    private let deadline: Mutex<Instant>

    init(_ deadline: Instant) { self.deadline = Mutex(deadline) }

    func move(to later: Instant) { deadline.withLock { $0 = max($0, later) } }

    /// True once D has passed; false when the task is cancelled first.
    func passed() async -> Bool {
        while true {
            let end = deadline.withLock { $0 }
            if BootClock.now() >= end { return true }
            guard (try? await BootClock.sleep(until: end)) != nil else { return false }
        }
    }
}
