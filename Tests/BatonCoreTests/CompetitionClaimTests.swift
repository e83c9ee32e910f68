// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// A competition that claims a tick with the lock (rule S8).
struct CompetitionClaimTests {
    private static let policy = LockPolicy(
        timing: LeaseTiming(timeout: .seconds(6), killLatency: .zero, requestTimeout: .seconds(1)), guarding: nil,
        fences: true, heedsMarks: false)
    private static let claim = LedgerClaim(expected: nil, tick: 60, info: [1])
    private static let view = LedgerView(entry: LedgerEntry(tick: 60, attempt: 1, fence: 9, changed: 0))

    private var waiter = WaitMachine(timeout: .seconds(6), maxLockTimeout: .seconds(6))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func machine(_ claim: LedgerClaim?) -> CompetitionMachine {
        CompetitionMachine(keys: LockKeys(name: [1]), policy: Self.policy, token: [2], claim: claim)
    }

    private mutating func handle(
        _ event: CompetitionMachine.Event, _ machine: inout CompetitionMachine, _ milliseconds: Int64
    ) -> CompetitionMachine.Action {
        machine.handle(event, &waiter, serverTime: milliseconds * 1000, at: at(milliseconds))
    }

    private func answer(_ reply: AcquireReply, sent: Int64) -> CompetitionMachine.Event {
        .answered(reply, serverTime: sent * 1000, sentAt: at(sent), jitter: .zero)
    }

    @Test mutating func aClaimGoesWithEveryRequestAndEndsWithTheLedger() {
        var machine = machine(Self.claim)
        #expect(handle(.began(until: nil), &machine, 0) == .ask)
        #expect(machine.request.claim == Self.claim)
        let held = AcquireReply.held(Sighting(timeToLive: .seconds(1)))
        #expect(handle(answer(held, sent: 0), &machine, 10) == .wait(until: at(1010)))
        #expect(handle(.woke, &machine, 1010) == .ask)
        #expect(machine.request.claim == Self.claim)
        #expect(handle(answer(.ledger(Self.view), sent: 1010), &machine, 1020) == .over(.ledger(Self.view)))
        #expect(machine.withdrawal(at: at(1020)) == nil)
        #expect(waiter.largestFence == 9)
    }

    /// The lock may hold the token of a request that was not answered, with another claim or the same.
    @Test mutating func aCallThatMayHoldTheLockGivesItBack() {
        var machine = machine(Self.claim)
        _ = handle(.began(until: nil), &machine, 0)
        #expect(handle(.failed(.unanswered, jitter: 0), &machine, 1000) == .wait(until: at(1025)))
        #expect(handle(.woke, &machine, 1025) == .ask)
        #expect(handle(answer(.ledger(Self.view), sent: 1025), &machine, 1030) == .over(.ledger(Self.view)))
        #expect(machine.withdrawal(at: at(1030))?.doubt == Doubt(token: [2], tokenIsFresh: true))
    }

    @Test mutating func withoutAClaimItIsNoAnswer() {
        var machine = machine(nil)
        _ = handle(.began(until: nil), &machine, 0)
        #expect(handle(answer(.ledger(Self.view), sent: 0), &machine, 10) == .wait(until: at(60)))
        #expect(machine.reason == nil)
        #expect(handle(.cancelled, &machine, 20) == .over(.cancelled))
        // Who knows what the store did.
        #expect(machine.withdrawal(at: at(20)) != nil)
    }
}
