// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem
import Synchronization

/// What waiting for one lock has taught: the memory of one ``WaitMachine``.
///
/// It outlives a call: a caller that asks again and again, each time for less than the guard's wait, gets there too.
package final class Waiter: Sendable {
    private let machine: Mutex<WaitMachine>

    /// - Parameter fence: the largest fence known so far.
    package init(_ policy: LockPolicy, fence: Int64 = 0) {
        machine = Mutex(
            WaitMachine(
                timeout: policy.timing.timeout,
                maxLockTimeout: policy.guarding?.maxLockTimeout ?? policy.timing.timeout, fence: fence))
    }

    /// Whether a wait that begins anew may take longer for want of what is known here.
    package var hasLearned: Bool { machine.withLock { $0.hasLearned } }

    /// There was such a fence.
    package func note(fence: Int64) { machine.withLock { $0.note(fence: fence) } }

    /// One event of a competition for this lock.
    func handle(
        _ event: CompetitionMachine.Event, by competition: inout CompetitionMachine, serverTime: Int64?,
        at now: Instant
    ) -> CompetitionMachine.Action {
        machine.withLock { competition.handle(event, &$0, serverTime: serverTime, at: now) }
    }
}
