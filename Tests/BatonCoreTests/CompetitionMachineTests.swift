// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

struct CompetitionMachineTests {
    private typealias Action = CompetitionMachine.Action

    /// T = 6 s, answers are waited for 1 s.
    private static let timing = LeaseTiming(timeout: .seconds(6), killLatency: .zero, requestTimeout: .seconds(1))
    private static let policy = LockPolicy(timing: timing, guarding: nil, fences: true, heedsMarks: false)
    private static let keys = LockKeys(name: Bytes("lock".utf8))
    private static let token = Bytes("token".utf8)
    private static let held = AcquireReply.held(Sighting(timeToLive: .seconds(4), fence: 7))

    private var waiter = WaitMachine(timeout: .seconds(6), maxLockTimeout: .seconds(6))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func machine(
        _ policy: LockPolicy = Self.policy, tokenIsFresh: Bool = true, longestWait: Duration? = nil,
        handicap: Duration = .zero, isDoubted: Bool = false
    ) -> CompetitionMachine {
        CompetitionMachine(
            keys: Self.keys, policy: policy, token: Self.token, tokenIsFresh: tokenIsFresh, isDoubted: isDoubted,
            longestWait: longestWait, handicap: handicap)
    }

    /// The store's clock is the machine's own.
    private mutating func handle(
        _ event: CompetitionMachine.Event, _ machine: inout CompetitionMachine, _ milliseconds: Int64
    ) -> Action {
        machine.handle(event, &waiter, serverTime: milliseconds * 1000, at: at(milliseconds))
    }

    private func answer(_ reply: AcquireReply, sent: Int64, _ jitter: Int64 = 0) -> CompetitionMachine.Event {
        .answered(reply, serverTime: sent * 1000, sentAt: at(sent), jitter: .milliseconds(jitter))
    }

    /// What comes of an ``answer(_:sent:_:)`` that is a yes.
    private func grant(sent: Int64) -> LockGrant {
        LockGrant(
            token: Self.token, sentAt: at(sent), granted: ServerTime(microseconds: sent * 1000), fence: 3, failures: 0)
    }

    @Test mutating func aFreeLockIsGrantedByTheFirstRequest() {
        var machine = machine()
        #expect(handle(.began(until: nil), &machine, 10) == .ask)
        #expect(machine.request.notAfter == 1_010_000)
        #expect(machine.request.fence == .init(floor: 0))
        #expect(handle(answer(.granted(.init(fence: 3)), sent: 11), &machine, 15) == .over(.granted(grant(sent: 11))))
        #expect(machine.withdrawal(at: at(15)) == nil)
    }

    @Test mutating func withoutTheStoresTimeItLooksFirst() {
        var machine = machine()
        #expect(machine.handle(.began(until: nil), &waiter, serverTime: nil, at: at(0)) == .look)
        #expect(handle(.looked, &machine, 5) == .ask)
        // A look that failed grants nothing: nothing has to be undone.
        var other = self.machine()
        #expect(other.handle(.began(until: nil), &waiter, serverTime: nil, at: at(0)) == .look)
        #expect(handle(.failed(.unanswered, jitter: 0), &other, 1000) == .wait(until: at(1025)))
        #expect(handle(.cancelled, &other, 1010) == .over(.cancelled))
        #expect(other.withdrawal(at: at(1010)) == nil)
    }

    @Test mutating func aHeldLockIsAskedForAgainWhenItsTimeIsOverOrTheBellRings() {
        var machine = machine()
        _ = handle(.began(until: nil), &machine, 0)
        #expect(handle(answer(Self.held, sent: 0, 5), &machine, 10) == .wait(until: at(4015)))
        #expect(machine.reason == .held)
        #expect(handle(.woke, &machine, 2000) == .ask)
        // What the waiter learned goes with the request.
        #expect(machine.request.fence == .init(floor: 7))
        #expect(machine.request.notAfter == 3_000_000)
    }

    @Test mutating func theLongestWaitBoundsItsPauses() {
        var machine = machine(longestWait: .milliseconds(100))
        _ = handle(.began(until: nil), &machine, 0)
        #expect(handle(answer(Self.held, sent: 0), &machine, 10) == .wait(until: at(110)))
    }

    @Test mutating func itsTimeIsUsedAndThenUp() {
        var machine = machine()
        _ = handle(.began(until: at(1000)), &machine, 0)
        #expect(handle(answer(Self.held, sent: 0), &machine, 10) == .wait(until: at(1000)))
        // A bell before that is heeded.
        #expect(handle(.woke, &machine, 500) == .ask)
        #expect(handle(answer(Self.held, sent: 500), &machine, 510) == .wait(until: at(1000)))
        #expect(handle(.woke, &machine, 1000) == .over(.timeUp))
        #expect(machine.withdrawal(at: at(1000)) == nil)
    }

    @Test mutating func withoutTimeItAsksOnce() {
        var machine = machine()
        #expect(handle(.began(until: at(0)), &machine, 5) == .ask)
        #expect(handle(answer(Self.held, sent: 5), &machine, 10) == .over(.timeUp))
    }

    @Test mutating func aYesThatComesTooLateIsAskedForAgainWithTheSameToken() {
        var machine = machine()
        _ = handle(.began(until: nil), &machine, 0)
        // D = 6000 − 62 ms.
        #expect(handle(answer(.granted(.init(fence: 3)), sent: 0), &machine, 5938) == .wait(until: at(5938)))
        #expect(machine.reason == nil)
        #expect(handle(.woke, &machine, 5938) == .ask)
        #expect(machine.request.token == Self.token)
        // And without a second yes it is given back.
        var other = machine
        #expect(handle(.cancelled, &other, 6000) == .over(.cancelled))
        #expect(other.withdrawal(at: at(6000)) != nil)
        let action = handle(answer(.granted(.init(fence: 3)), sent: 5940), &machine, 5950)
        #expect(action == .over(.granted(grant(sent: 5940))))
    }

    @Test mutating func failuresAreFollowedByLongerAndLongerPauses() {
        var machine = machine()
        var pauses: [Int64] = []
        var now: Int64 = 0
        var action = handle(.began(until: nil), &machine, now)
        while pauses.count < 8 {
            #expect(action == .ask)
            guard case .wait(let until) = handle(.failed(.passing, jitter: 1), &machine, now) else { break }
            pauses.append((until - at(now)).milliseconds)
            now += pauses.last ?? 0
            action = handle(.woke, &machine, now)
        }
        #expect(pauses == [50, 100, 200, 400, 800, 1000, 1000, 1000])
        // An answer, whatever it says, ends that.
        #expect(handle(answer(Self.held, sent: now), &machine, now) != .over(.timeUp))
        #expect(handle(.woke, &machine, now) == .ask)
        #expect(handle(.failed(.passing, jitter: 0), &machine, now) == .wait(until: at(now + 25)))
        #expect(machine.withdrawal(at: at(now)) == nil)
    }

    @Test mutating func aRefusalEndsIt() {
        var machine = machine()
        _ = handle(.began(until: nil), &machine, 0)
        #expect(handle(.failed(.final, jitter: 0), &machine, 3) == .over(.refused))
        #expect(machine.withdrawal(at: at(3)) == nil)
    }

    @Test mutating func whatMayHaveBeenAppliedIsUndoneAtTheEnd() throws {
        var machine = machine()
        _ = handle(.began(until: nil), &machine, 0)
        _ = handle(.failed(.unanswered, jitter: 0), &machine, 1000)
        // Also when the last answer is that somebody else has it.
        #expect(handle(.woke, &machine, 1025) == .ask)
        _ = handle(answer(Self.held, sent: 1025), &machine, 1030)
        #expect(handle(.cancelled, &machine, 1100) == .over(.cancelled))
        var withdrawal = try #require(machine.withdrawal(at: at(1100)))
        #expect(withdrawal.doubt == Doubt(token: Self.token, tokenIsFresh: true))
        // The request of 0 ms is void at 1012 ms.
        #expect(withdrawal.handle(.began, at: at(1100)) == .release)
        #expect(withdrawal.handle(.released, at: at(1110)) == .over(nil))
    }

    @Test mutating func aRequestThatIsNotWaitedForMayBeApplied() throws {
        var machine = machine()
        _ = handle(.began(until: nil), &machine, 0)
        #expect(handle(.cancelled, &machine, 10) == .over(.cancelled))
        var withdrawal = try #require(machine.withdrawal(at: at(10)))
        #expect(withdrawal.handle(.began, at: at(10)) == .release)
        #expect(withdrawal.handle(.released, at: at(12)) == .pause(until: at(1012)))
        #expect(withdrawal.handle(.woke, at: at(1012)) == .release)
        #expect(withdrawal.handle(.released, at: at(1013)) == .over(nil))
    }

    @Test mutating func anEarlierCallsTokenIsUndoneToo() {
        var machine = machine(isDoubted: true)
        _ = handle(.began(until: at(0)), &machine, 0)
        #expect(handle(answer(Self.held, sent: 0), &machine, 5) == .over(.timeUp))
        #expect(machine.withdrawal(at: at(5)) != nil)
    }

    @Test mutating func aWithdrawalThatIsNotAnsweredEndsInDoubt() {
        let doubt = Doubt(token: Self.token, tokenIsFresh: true)
        var withdrawal = WithdrawalMachine(doubt, voidAt: at(1000), patience: .seconds(1), now: at(0))
        var now = at(0)
        var releases = 0
        var action = withdrawal.handle(.began, at: now)
        while action == .release {
            releases += 1
            guard case .pause(let until) = withdrawal.handle(.releaseFailed, at: now) else {
                action = withdrawal.handle(.woke, at: now)
                break
            }
            #expect(until == now + .milliseconds(125))
            now = until
            action = withdrawal.handle(.woke, at: now)
        }
        #expect(action == .over(doubt))
        #expect(releases == 32 && now == at(3875))
    }

    @Test mutating func aTokenOfTheCallersIsNotDeleted() throws {
        var machine = machine(tokenIsFresh: false)
        _ = handle(.began(until: nil), &machine, 0)
        _ = handle(.failed(.unanswered, jitter: 0), &machine, 1000)
        _ = handle(.cancelled, &machine, 1001)
        var withdrawal = try #require(machine.withdrawal(at: at(1001)))
        let doubt = Doubt(token: Self.token, tokenIsFresh: false)
        #expect(withdrawal.handle(.began, at: at(1001)) == .over(doubt))
    }

    @Test mutating func theSeedsPlainRequestHasNoLimit() {
        let policy = LockPolicy(timing: Self.timing, guarding: nil, fences: false, heedsMarks: false)
        var machine = machine(policy, tokenIsFresh: false)
        #expect(machine.handle(.began(until: nil), &waiter, serverTime: nil, at: at(0)) == .ask)
        #expect(machine.request.isPlain)
    }

    @Test mutating func aLockThatNeverExpiresIsKeptUntilEarlierRequestsAreVoid() {
        let policy = LockPolicy(timing: Self.timing, expires: false, guarding: nil, fences: true, heedsMarks: false)
        var machine = machine(policy)
        #expect(handle(.began(until: nil), &machine, 0) == .ask)
        #expect(machine.request.timeout == nil)
        _ = handle(.failed(.unanswered, jitter: 0), &machine, 500)
        _ = handle(.woke, &machine, 525)
        #expect(handle(answer(.granted(.init(fence: 3)), sent: 525), &machine, 530) == .pause(until: at(1012)))
        #expect(handle(.woke, &machine, 1012) == .over(.granted(grant(sent: 525))))
    }

    @Test mutating func theGuardsNonceAndClaimGoWithTheRequest() {
        let guarding = AcquireRequest.Guarding(maxLockTimeout: .seconds(6))
        let policy = LockPolicy(timing: Self.timing, guarding: guarding, fences: true, heedsMarks: true)
        var machine = machine(policy)
        let nonce = Bytes("nonce".utf8)
        _ = handle(.began(until: nil), &machine, 0)
        #expect(machine.request.guarding == guarding && machine.request.heedsMarks)
        let unsettled = AcquireReply.unsettled(nonce: nonce, wait: .seconds(6))
        #expect(handle(answer(unsettled, sent: 0, 3), &machine, 10) == .wait(until: at(6013)))
        // A bell: too early.
        _ = handle(.woke, &machine, 6009)
        #expect(machine.request.guarding?.nonce == nil)
        _ = handle(answer(unsettled, sent: 6009, 3), &machine, 6009)
        _ = handle(.woke, &machine, 6013)
        #expect(machine.request.guarding?.nonce == nonce)
    }

    /// A node whose room comes and goes begins one competition after the other, each shorter than the watch that rule S6
    /// wants.
    @Test mutating func whatOneCompetitionLearnedCountsForTheNext() {
        let policy = LockPolicy(
            timing: Self.timing, guarding: .init(maxLockTimeout: .seconds(6)), fences: true, heedsMarks: false)
        let orphaned = AcquireReply.orphaned(
            Sighting(timeToLive: nil, owner: Bytes("owner".utf8), timeout: .seconds(6), fence: 9))
        for begun in [0, 2500, 5000] as [Int64] {
            var machine = machine(policy)
            #expect(handle(.began(until: nil), &machine, begun) == .ask)
            #expect(machine.request.guarding?.claim == nil)
            #expect(handle(answer(orphaned, sent: begun), &machine, begun) == .wait(until: at(6000)))
            #expect(handle(.cancelled, &machine, begun + 1000) == .over(.cancelled))
        }
        waiter.note(fence: 12)
        var machine = machine(policy)
        #expect(handle(.began(until: nil), &machine, 6000) == .ask)
        #expect(machine.request.guarding?.claim == Bytes("owner".utf8))
        #expect(machine.request.fence == .init(floor: 12))
    }

    @Test mutating func whoHasAHandicapAsksAfterTheOthers() {
        var machine = machine(handicap: .milliseconds(300))
        #expect(handle(.began(until: nil), &machine, 0) == .wait(until: at(300)))
        // The lock is taken and given back meanwhile: the others go first again.
        #expect(handle(.woke, &machine, 200) == .wait(until: at(500)))
        #expect(handle(.woke, &machine, 500) == .ask)
        #expect(handle(answer(Self.held, sent: 500), &machine, 510) == .wait(until: at(4510)))
        #expect(handle(.woke, &machine, 4510) == .wait(until: at(4810)))
        #expect(handle(.woke, &machine, 4810) == .ask)
        // It has stood back for this one.
        #expect(handle(answer(.late, sent: 4810), &machine, 4820) == .ask)
        #expect(handle(answer(.late, sent: 4820), &machine, 4825) == .wait(until: at(4835)))
        #expect(handle(.woke, &machine, 4835) == .ask)
    }

    @Test mutating func aRequestThatWasTooLateByAnOldReadingIsSentAgainAtOnce() {
        var machine = machine()
        // The caller waits for nothing.
        #expect(handle(.began(until: at(0)), &machine, 0) == .ask)
        #expect(handle(answer(.late, sent: 0), &machine, 4) == .ask)
        #expect(handle(answer(.late, sent: 4), &machine, 8) == .over(.timeUp))
    }
}
