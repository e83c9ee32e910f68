// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem

/// One timer that can be set anew at any time: state of a job's loop, told by sleepers that post into its mailbox.
///
/// A later instant needs no new sleeper: the one on its way is followed by another when it comes too early.
struct Alarm {
    private var due: Instant?
    /// When the earliest sleeper comes.
    private var armed: Instant?

    /// Goes off then, instead of whenever it was set to before.
    mutating func set(_ instant: Instant, _ runner: JobRunner, _ group: inout DiscardingTaskGroup) {
        due = instant
        if let armed, armed <= instant { return }
        armed = instant
        group.addTask {
            try? await BootClock.sleep(until: instant)  // only cancellation: then nobody reads the mailbox any more
            runner.send(.alarm(instant))
        }
    }

    /// The sleeper of `instant` came. True: the alarm goes off.
    mutating func came(
        _ instant: Instant, at now: Instant, _ runner: JobRunner, _ group: inout DiscardingTaskGroup
    ) -> Bool {
        if armed == instant { armed = nil }
        guard let due else { return false }
        if now >= due {
            self.due = nil
            return true
        }
        set(due, runner, &group)
        return false
    }
}
