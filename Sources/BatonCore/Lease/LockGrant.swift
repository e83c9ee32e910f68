// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A token with the lease that was granted to it.
package struct LockGrant: Equatable, Sendable {
    package var token: Bytes
    /// The instant before the request was sent that the store said yes to.
    package var sentAt: Instant
    /// The server's time in that yes; nil: not known.
    package var granted: ServerTime?
    package var fence: Int64?
    /// Runs that failed in a row before this one.
    package var failures: Int
    /// The run that was claimed with it in the job's ledger; nil: none.
    package var turn: LedgerEntry?

    package init(
        token: Bytes, sentAt: Instant, granted: ServerTime? = nil, fence: Int64?, failures: Int,
        turn: LedgerEntry? = nil
    ) {
        self.token = token
        self.sentAt = sentAt
        self.granted = granted
        self.fence = fence
        self.failures = failures
        self.turn = turn
    }
}
