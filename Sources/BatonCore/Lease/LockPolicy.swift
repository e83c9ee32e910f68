// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How a lock is asked for.
package struct LockPolicy: Sendable, Equatable {
    /// T and what goes with it. For a lock without a timeout only `requestTimeout` counts.
    package let timing: LeaseTiming
    /// False: the lock never expires.
    package let expires: Bool
    package let guarding: AcquireRequest.Guarding?
    package let fences: Bool
    package let heedsMarks: Bool

    /// How long an answer is waited for where no lease is at stake: a very short one still needs a request that can
    /// succeed.
    package let answerTimeout: Duration

    package init(
        timing: LeaseTiming, expires: Bool = true, guarding: AcquireRequest.Guarding?, fences: Bool, heedsMarks: Bool
    ) {
        self.timing = timing
        answerTimeout = max(timing.attemptTimeout, min(timing.requestTimeout, .milliseconds(100)))
        self.expires = expires
        self.guarding = guarding
        self.fences = fences
        self.heedsMarks = heedsMarks
    }
}
