// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension JobDefinition {
    /// Why a daemon that hangs could not be replaced in time to save a run of this job; nil when it can.
    ///
    /// - Parameter interval: how long systemd waits for a sign of life.
    package func watchdogDoubt(interval: Duration) -> String? {
        // A hang may begin just before a renewal, a third into the lease; silence is noticed a fifth of an interval late.
        let gone = interval * 6 / 5 + .seconds(1)
        guard gone >= self.lock.timeout * 2 / 3 - self.lock.lostGrace else { return nil }
        return """
            a hung daemon costs this job its run: 1.2 * WatchdogSec + 1 s is not less than \
            2/3 * lock.timeout - lock.lost_grace
            """
    }
}
