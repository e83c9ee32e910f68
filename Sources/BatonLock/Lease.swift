// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// A granted lock: for how long, and with which fence.
public struct Lease: Sendable, Equatable {
    /// The fencing token: strictly grows with every grant of this lock. Hand it to whatever the lock protects, and let
    /// that refuse smaller numbers: then even a holder that was suspended past its lease does no harm. Nil when fences
    /// are switched off.
    public let fence: Int64?

    /// Until when this process may act as the holder, counted from before the request was sent, less a margin for
    /// clocks that tick differently. Nil for a lock without a timeout.
    public let validUntil: ContinuousClock.Instant?

    init(fence: Int64?, deadline: Instant?) {
        self.fence = fence
        validUntil = deadline.map { ContinuousClock.now + ($0 - BootClock.now()) }
    }
}
