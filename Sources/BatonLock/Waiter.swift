// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
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

    var largestFence: Int64 { machine.withLock { $0.largestFence } }

    /// What may be presented now: the nonce, and the record of a vanished lock.
    func presents(at now: Instant) -> (nonce: Bytes?, claim: Bytes?) {
        machine.withLock { ($0.nonceToPresent(at: now), $0.claimToPresent(at: now)) }
    }

    func received(
        _ answer: Stamped<AcquireReply>, at arrival: Instant, longestWait: Duration?
    ) -> WaitMachine.Decision {
        // Who was granted the lock does not wait; the system's generator costs a system call.
        // A lock that ran out is to be taken over within 20 ms.
        let jitter = if case .granted = answer.reply { 0 } else { Int.random(in: 0...12) }
        return machine.withLock {
            $0.received(
                answer.reply, serverTime: answer.serverTime, at: arrival, jitter: .milliseconds(jitter),
                longestWait: longestWait)
        }
    }
}
