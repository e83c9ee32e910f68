// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Synchronization

/// When the request that the database's thread is busy with must be over. SQLite's waiting for locks obeys it.
final class TimeLimit: Sendable {
    private let end = Mutex(Instant(nanoseconds: .min))

    func set(_ instant: Instant) {
        end.withLock { $0 = instant }
    }

    /// Sleeps for an instant while another process holds the file; false when the time is over.
    func wait(tries: Int) -> Bool {
        // A transaction takes a fraction of a millisecond, so look often.
        var pause = timespec(tv_sec: 0, tv_nsec: tries < 10 ? 500_000 : 2_000_000)
        nanosleep(&pause, nil)
        return BootClock.now() < end.withLock { $0 }
    }
}
