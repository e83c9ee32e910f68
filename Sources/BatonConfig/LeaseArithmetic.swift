// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Which durations of a lease fit together (DESIGN.md, "The arithmetic of a lease").
struct LeaseArithmetic {
    /// T.
    let timeout: Duration
    /// The limit of one attempt is the smaller of this and T/6.
    let requestTimeout: Duration

    /// A node whose keeper may not run SCHED_FIFO needs so long for a kill. Files are checked for that case.
    static let killLatency = Duration.milliseconds(250)
    static let shortest = Duration.seconds(1)

    /// What clocks and the kill may cost.
    var drift: Duration { timeout / 100 + Self.killLatency + .milliseconds(2) }
    var defaultLostGrace: Duration { timeout / 6 }
    private var attempt: Duration { min(requestTimeout, timeout / 6) }
    /// TERM comes at D − lost_grace. By then a renewal that failed once must have been sent again.
    private var longestLostGrace: Duration { timeout - drift - timeout / 3 - attempt }

    /// Why T cannot be; nil when it can.
    func problem(maxLockTimeout: Duration) -> String? {
        if timeout < Self.shortest {
            return "\(text(timeout)) is too short: a lock's timeout must be at least \(text(Self.shortest))"
        }
        if timeout > maxLockTimeout {
            return "\(text(timeout)) is longer than store.max_lock_timeout = \(text(maxLockTimeout))"
        }
        return nil
    }

    /// Why `lost_grace` cannot be; nil when it can.
    func problem(lostGrace: Duration) -> String? {
        if lostGrace <= longestLostGrace { return nil }
        return """
            lost_grace = \(text(lostGrace)) is too long for lock.timeout = \(text(timeout)): it must be at most \
            timeout - drift - timeout/3 - one attempt = \(text(timeout)) - \(text(drift)) - \(text(timeout / 3)) - \
            \(text(attempt)) = \(text(longestLostGrace)), so that a failed renewal is tried again before TERM
            """
    }

    private func text(_ duration: Duration) -> String { DurationText.describe(duration) }
}
