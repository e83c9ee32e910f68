// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// The lock that one loop of a job leaves to the next.
struct HandoverMachineTests {
    private static let keys = LockKeys(prefix: "baton", job: "report")
    private static let policy = LockPolicy(
        timing: LeaseTiming(timeout: .seconds(15), killLatency: .zero, requestTimeout: .seconds(1)),
        guarding: .init(maxLockTimeout: .seconds(60)), fences: true, heedsMarks: true)
    private static let old = Bytes("old".utf8)
    private static let new = Bytes("new".utf8)
    private static let successor = RenewRequest.Successor(token: new, holder: Bytes("holder".utf8))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// The lease ends at 9 s.
    private func machine(_ successor: RenewRequest.Successor? = Self.successor) -> HandoverMachine {
        let record = LeaseRecord(token: Self.old, fence: 7, timeout: .seconds(15))
        return HandoverMachine(LockLegacy(record: record, deadline: at(9000)), successor: successor)
    }

    @Test func theTokenIsSwappedAndTheFenceGrows() {
        var machine = machine()
        #expect(machine.handle(.began, at: at(0)) == .look)
        #expect(machine.handle(.looked(nil), at: at(1)) == .swap)
        let request = machine.request(of: Self.keys, Self.policy, serverTime: 1_000_000, at: at(1))
        #expect(request.token == Self.old && request.successor == Self.successor)
        #expect(request.fence == 8 && request.change == .reset(.seconds(15)))
        // It is void at the end of the lease that it is for.
        #expect(request.notAfter == 9_999_000)
        let grant = LockGrant(token: Self.new, sentAt: at(2), fence: 8, failures: 0)
        let answer = HandoverMachine.Event.answered(.renewed(timeToLive: .seconds(15)), sentAt: at(2))
        #expect(machine.handle(answer, at: at(3)) == .over(grant))
    }

    @Test(arguments: [
        HandoverMachine.Event.failed, .answered(.lost, sentAt: .init(nanoseconds: 0)),
        .answered(.unsettled, sentAt: .init(nanoseconds: 0)),
    ])
    func whereItIsNotSwappedBothTokensAreGivenUp(event: HandoverMachine.Event) {
        var machine = machine()
        _ = machine.handle(.began, at: at(0))
        _ = machine.handle(.looked(nil), at: at(1))
        #expect(machine.handle(event, at: at(10)) == .release(Self.old))
        #expect(machine.handle(.released, at: at(11)) == .release(Self.new))
        // Once: it runs out by itself.
        #expect(machine.handle(.failed, at: at(12)) == .over(nil))
    }

    @Test func aYesAfterTheLeasesEndIsUndone() {
        var machine = machine()
        _ = machine.handle(.began, at: at(0))
        _ = machine.handle(.looked(nil), at: at(1))
        let answer = HandoverMachine.Event.answered(.renewed(timeToLive: .seconds(15)), sentAt: at(2))
        #expect(machine.handle(answer, at: at(9000)) == .release(Self.old))
        #expect(machine.handle(.released, at: at(9001)) == .release(Self.new))
    }

    @Test func nothingIsSwappedForAJobThatWasStoppedOrAfterTheEnd() {
        var stopped = machine()
        _ = stopped.handle(.began, at: at(0))
        #expect(stopped.handle(.looked(Mark(kind: .heldDown)), at: at(1)) == .release(Self.old))
        #expect(stopped.handle(.released, at: at(2)) == .over(nil))
        var late = machine()
        _ = late.handle(.began, at: at(0))
        #expect(late.handle(.looked(nil), at: at(9000)) == .release(Self.old))
        var blind = machine()
        _ = blind.handle(.began, at: at(0))
        #expect(blind.handle(.failed, at: at(1)) == .release(Self.old))
    }

    @Test func whatNobodyFollowsIsGivenBack() {
        var machine = machine(nil)
        #expect(machine.handle(.began, at: at(0)) == .release(Self.old))
        #expect(machine.handle(.released, at: at(2)) == .over(nil))
    }
}
