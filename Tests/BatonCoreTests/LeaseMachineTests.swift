// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

struct LeaseMachineTests {
    /// T = 15 s: drift 402 ms, D at 14.598 s, renewals every 5 s, attempts of at most 1 s.
    private let timing = LeaseTiming(
        timeout: .seconds(15), killLatency: .milliseconds(250), requestTimeout: .seconds(1))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    @Test func theArithmetic() {
        #expect(timing.drift == .milliseconds(402))
        #expect(timing.deadline(sentAt: at(0)) == at(14_598))
        #expect(timing.renewalDue(sentAt: at(0)) == at(5000))
        #expect(timing.attemptTimeout == .seconds(1))
        #expect(
            LeaseTiming(timeout: .seconds(3), killLatency: .zero, requestTimeout: .seconds(1)).attemptTimeout
                == .milliseconds(500))
    }

    @Test func aRenewalCountsFromBeforeItsSend() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        #expect(lease.nextWake == at(5000))
        #expect(lease.handle(.woke, at: at(5000)) == [.renew(within: .seconds(1))])
        #expect(lease.handle(.renewed(sentAt: at(5001)), at: at(5900)) == [.deadlineMoved(to: at(5001 + 14_598))])
        #expect(lease.nextWake == at(10_001))
    }

    @Test func aRenewalMayGoALittleEarlyWithOthers() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        #expect(lease.earliestWake == at(5000) - timing.earliness)
        #expect(lease.handle(.woke, at: at(5000) - timing.earliness - .nanoseconds(1)) == [])
        #expect(lease.handle(.woke, at: at(5000) - timing.earliness) == [.renew(within: .seconds(1))])
        // Its end does not come early, and neither does the retry of a failed one.
        #expect(lease.earliestWake == lease.deadline)
        #expect(lease.handle(.failed(jitter: 0), at: at(5100)) == [])
        #expect(lease.handle(.woke, at: at(5101)) == [])
    }

    @Test func aFailedRenewalIsRetriedUntilTheDeadline() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        var now = at(5000)
        var attempts = 0
        while now < at(14_598) {
            for action in lease.handle(.woke, at: now) {
                guard case .renew(let limit) = action else { continue }
                attempts += 1
                #expect(now + limit <= at(14_598))
                now = now + limit
                _ = lease.handle(.failed(jitter: 0.5), at: now)
            }
            now = max(now + .milliseconds(1), lease.nextWake ?? now)
        }
        #expect(attempts >= 5)
        #expect(lease.isOver || lease.handle(.woke, at: at(14_598)) == [.lost(.expired)])
    }

    @Test func theDeadlineIsTerminal() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        _ = lease.handle(.woke, at: at(5000))
        #expect(lease.handle(.renewed(sentAt: at(5000)), at: at(14_598)) == [.undo, .lost(.expired)])
        #expect(lease.handle(.renewed(sentAt: at(14_000)), at: at(14_700)) == [.undo])
        #expect(lease.isOver)
    }

    @Test func aRefusalEndsItAtOnce() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        _ = lease.handle(.woke, at: at(5000))
        #expect(lease.handle(.refused, at: at(5100)) == [.lost(.refused)])
        #expect(lease.nextWake == nil)
    }

    @Test func aLateOlderAnswerNeverShortensTheLease() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        _ = lease.handle(.woke, at: at(5000))
        _ = lease.handle(.renewed(sentAt: at(6000)), at: at(6100))
        #expect(lease.handle(.renewed(sentAt: at(5000)), at: at(6200)) == [])
        #expect(lease.deadline == at(6000 + 14_598))
    }
}
