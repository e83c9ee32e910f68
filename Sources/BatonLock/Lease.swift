// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// A granted lock: with which fence, and for how long. The seed has nothing like it.
///
/// It shows how things stand, not how they stood: what is renewed is valid for longer.
public struct Lease: Sendable {
    /// How a lease is lost.
    public enum Loss: String, Sendable, Hashable {
        /// Its time was over before the store had confirmed a renewal.
        case expired
        /// The store says that the lock is another's, or nobody's.
        case refused
    }

    let term: Term

    /// The fencing token: strictly grows with every grant of this lock. Hand it to whatever the lock protects, and let
    /// that refuse smaller numbers: then even a holder that was suspended past its lease does no harm. Nil when fences
    /// are switched off.
    public var fence: Int64? { term.fence }

    /// Until when this process may act as the holder: the timeout, counted from before the request was sent, less a
    /// margin for clocks that tick differently (1 % of the timeout and 2 ms). Nil for a lock without a timeout.
    ///
    /// It moves with each renewal and extension, and comes nearer when the lease is lost. On a clock that counts
    /// suspend.
    public var validUntil: ContinuousClock.Instant? {
        term.deadline.map { ContinuousClock.now + ($0 - BootClock.now()) }
    }

    /// Waits until the lease is over, and says how it was lost; at once if it was already.
    ///
    /// For work that cannot be cancelled with its task: wait for this in a child task, and stop the work then. Nil when
    /// the lock was released, or when the waiting task was cancelled (as `withLock` cancels what its body started).
    /// Without a timeout and without a renewal that is refused, there is nothing to lose, and it waits for the release.
    public var lost: Loss? {
        get async { await TermWatch(term).loss() }
    }
}
