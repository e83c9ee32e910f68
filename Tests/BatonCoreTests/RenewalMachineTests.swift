// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Renewals, the swap of an earlier daemon's token, and the release after it.
struct RenewalMachineTests {
    private static let keys = LockKeys(prefix: "baton", job: "report")
    private static let policy = LockPolicy(
        timing: LeaseTiming(timeout: .seconds(15), killLatency: .zero, requestTimeout: .seconds(1)),
        guarding: .init(maxLockTimeout: .seconds(60)), fences: true, heedsMarks: true)
    private static let old = Bytes("old".utf8)
    private static let new = Bytes("new".utf8)
    private static let holder = Bytes("holder".utf8)
    private static let record = LeaseRecord(token: old, fence: 7, timeout: .seconds(15))
    /// While either token may be the lock's value.
    private static let both = LeaseRecord(token: old, successor: new, fence: 7, timeout: .seconds(15))
    private static let swapped = LeaseRecord(token: new, fence: 7, timeout: .seconds(15))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    private func renewal(_ record: LeaseRecord = Self.record, isInherited: Bool) -> RenewalMachine {
        RenewalMachine(record, isInherited: isInherited, fresh: Self.new, holder: Self.holder, jitter: 0.5)
    }

    private func request(_ machine: RenewalMachine) -> RenewRequest {
        machine.request(of: Self.keys, Self.policy, deadline: at(12_000), serverTime: 5_000_000, at: at(10_000))
    }

    @Test func anOrdinaryRenewalChangesNoToken() {
        var machine = renewal(isInherited: false)
        #expect(machine.handle(.began) == .send)
        let request = request(machine)
        #expect(request.token == Self.old && request.successor == nil && request.fence == 7)
        #expect(request.change == .reset(.seconds(15)) && request.guarding == Self.policy.guarding)
        // It puts nothing back after the lease's end: in two seconds.
        #expect(request.notAfter == 7_000_000)
        #expect(
            machine.handle(.answered(.renewed(timeToLive: .seconds(15)), sentAt: at(3)))
                == .over(.renewed(sentAt: at(3)), nil))
    }

    @Test func aLeaseIsNotMadeShorterThanItWasGrantedFor() {
        let longer = LeaseRecord(token: Self.old, fence: 7, timeout: .seconds(30))
        let shorter = LeaseRecord(token: Self.old, fence: 7, timeout: .seconds(5))
        #expect(request(renewal(longer, isInherited: true)).change == .reset(.seconds(30)))
        #expect(request(renewal(shorter, isInherited: true)).change == .reset(.seconds(15)))
    }

    @Test func whatTheLeaseMakesOfEachAnswer() {
        for (event, outcome) in [
            (RenewalMachine.Event.answered(.lost, sentAt: at(0)), LeaseMachine.Event.refused),
            (.answered(.unsettled, sentAt: at(0)), .failed(jitter: 0.5)), (.failed, .failed(jitter: 0.5)),
        ] {
            var own = renewal(isInherited: false)
            _ = own.handle(.began)
            #expect(own.handle(event) == .over(outcome, nil))
            // That the new token was sent is not forgotten.
            var inherited = renewal(isInherited: true)
            _ = inherited.handle(.began)
            _ = inherited.handle(.remembered)
            #expect(inherited.handle(event) == .over(outcome, Self.both))
        }
    }

    @Test func theNewTokenIsOnDiskBeforeItIsSent() {
        var machine = renewal(isInherited: true)
        #expect(machine.handle(.began) == .remember(Self.both))
        #expect(machine.handle(.remembered) == .send)
        let request = request(machine)
        #expect(request.token == Self.old && request.successor == .init(token: Self.new, holder: Self.holder))
        #expect(machine.handle(.answered(.renewed(timeToLive: .seconds(15)), sentAt: at(3))) == .remember(Self.swapped))
        #expect(machine.handle(.remembered) == .over(.renewed(sentAt: at(3)), Self.swapped))
    }

    /// Where the disk was full, the attempt after this one sent a token that was not written down.
    @Test func aTokenThatIsNotOnDiskIsNeverSent() {
        var machine = renewal(isInherited: true)
        _ = machine.handle(.began)
        // Nothing is known of the new token afterwards: the next attempt writes one down first.
        #expect(machine.handle(.notRemembered) == .over(.failed(jitter: 0.5), nil))
    }

    @Test func thatTheOldTokenIsNotForgottenOnDiskDoesNoHarm() {
        var machine = renewal(isInherited: true)
        _ = machine.handle(.began)
        _ = machine.handle(.remembered)
        _ = machine.handle(.answered(.renewed(timeToLive: .seconds(15)), sentAt: at(3)))
        #expect(machine.handle(.notRemembered) == .over(.renewed(sentAt: at(3)), Self.swapped))
    }

    @Test func everyAttemptHasTheSameNewToken() {
        // Also that of the daemon after the one that wrote it down.
        var machine = RenewalMachine(
            Self.both, isInherited: true, fresh: Bytes("another".utf8), holder: Self.holder, jitter: 0)
        #expect(machine.handle(.began) == .send)
        #expect(request(machine).successor?.token == Self.new)
    }

    @Test func aReleaseTriesEachTokenUntilItWasTheOne() {
        var machine = ReleaseMachine(Self.both)
        // The old one first: a swap that arrives between the two would put the lock under the new one.
        #expect(machine.handle(.began) == .release(Self.old))
        #expect(machine.handle(.answered(wasOurs: false)) == .release(Self.new))
        #expect(machine.handle(.answered(wasOurs: false)) == .over(isReleased: true))
        var other = ReleaseMachine(Self.both)
        _ = other.handle(.began)
        #expect(other.handle(.answered(wasOurs: true)) == .over(isReleased: true))
        var third = ReleaseMachine(Self.record)
        #expect(third.handle(.began) == .release(Self.old))
        #expect(third.handle(.failed) == .over(isReleased: false))
    }
}
