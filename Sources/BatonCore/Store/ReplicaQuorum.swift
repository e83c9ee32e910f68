// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How many replicas must have a grant or a renewal before it counts (rule S11).
///
/// All that may be promoted, as configured: a number that is found at run time shrinks with the very failure that it is
/// to guard against. With one of two, the other would go on confirming what an old primary grants.
package struct ReplicaQuorum: Equatable, Sendable {
    /// 0: none is waited for.
    package let replicas: Int

    package init(replicas: Int) { self.replicas = replicas }

    /// Whether anybody is waited for at all.
    package var isNeeded: Bool { replicas > 0 }

    /// Whether a yes that so many have confirmed is one. If not, it is neither yes nor no: the server has done it.
    package func isMet(by confirmations: Int64) -> Bool { confirmations >= Int64(replicas) }

    /// How long the server waits for them, of the time that the whole attempt has: it must be able to say that they were
    /// too few. Whatever else is asked on the same connection waits meanwhile.
    package func patience(within attempt: Duration) -> Duration { max(attempt / 2, .milliseconds(1)) }
}
