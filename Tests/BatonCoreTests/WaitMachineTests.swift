// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

struct WaitMachineTests {
    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    private func machine() -> WaitMachine { WaitMachine(timeout: .seconds(10), maxLockTimeout: .seconds(30)) }
    private let record = Bytes("7:10000:token".utf8)
    private func held(_ left: Int64?, owner: Bytes? = nil) -> AcquireReply {
        .held(Sighting(timeToLive: left.map { .milliseconds($0) }, owner: owner, timeout: .seconds(10), fence: 5))
    }

    /// The server's clock is `ahead` milliseconds ahead of ours.
    private func time(_ milliseconds: Int64, ahead: Int64 = 0) -> Int64 { (milliseconds + ahead) * 1000 }

    @Test func aNonceIsPresentedOnlyAfterTheWaitSinceItArrived() {
        var waiter = machine()
        let nonce = Bytes("n1".utf8)
        let reply = AcquireReply.unsettled(nonce: nonce, wait: .seconds(30))
        let decision = waiter.received(reply, serverTime: time(100), at: at(1000), jitter: .milliseconds(7))
        #expect(decision == .wait(until: at(31_007), .unsettled(until: at(31_000))))
        #expect(waiter.nonceToPresent(at: at(30_999)) == nil)
        #expect(waiter.nonceToPresent(at: at(31_000)) == nonce)
    }

    @Test func theSameNonceAgainDoesNotProlongTheWait() {
        var waiter = machine()
        let reply = AcquireReply.unsettled(nonce: Bytes("n1".utf8), wait: .seconds(30))
        _ = waiter.received(reply, serverTime: 0, at: at(1000), jitter: .zero)
        _ = waiter.received(reply, serverTime: 0, at: at(20_000), jitter: .zero)
        #expect(waiter.nonceToPresent(at: at(31_000)) != nil)
    }

    @Test func aNewLossMeansANewWait() {
        var waiter = machine()
        _ = waiter.received(
            .unsettled(nonce: Bytes("n1".utf8), wait: .seconds(30)), serverTime: 0, at: at(0), jitter: .zero)
        _ = waiter.received(
            .unsettled(nonce: Bytes("n2".utf8), wait: .seconds(30)), serverTime: 0, at: at(29_000), jitter: .zero)
        #expect(waiter.nonceToPresent(at: at(31_000)) == nil)
        #expect(waiter.nonceToPresent(at: at(59_000)) == Bytes("n2".utf8))
    }

    @Test func aWaiterAsksAgainWhenTheTTLIsOver() {
        var waiter = machine()
        let decision = waiter.received(held(4000), serverTime: 0, at: at(1000), jitter: .milliseconds(3))
        #expect(decision == .wait(until: at(5003), .held))
    }

    @Test func theLibrarysSleepBoundsEveryWait() {
        var waiter = machine()
        let decision = waiter.received(
            held(4000), serverTime: 0, at: at(1000), jitter: .milliseconds(3), longestWait: .milliseconds(100))
        #expect(decision == .wait(until: at(1100), .held))
    }

    @Test func aColdWaiterClaimsAVanishedLockAfterTheWholeLease() {
        var waiter = machine()
        _ = waiter.received(held(4000, owner: record), serverTime: time(1000), at: at(1000), jitter: .zero)
        #expect(waiter.claimToPresent(at: at(10_999)) == nil)
        #expect(waiter.claimToPresent(at: at(11_000)) == record)
    }

    @Test func aWarmWaiterClaimsItWhenTheTTLThatItSawIsOver() {
        var waiter = machine()
        // Ten seconds of samples with the same offset, then a look at a fresh record.
        _ = waiter.received(
            held(9000, owner: Bytes("1".utf8)), serverTime: time(0, ahead: 500), at: at(0), jitter: .zero)
        _ = waiter.received(held(4000, owner: record), serverTime: time(9000, ahead: 500), at: at(9000), jitter: .zero)
        // The record was made at 3 s, and for that long nobody had looked at the clock: 1 %.
        #expect(waiter.claimToPresent(at: at(13_029)) == nil)
        #expect(waiter.claimToPresent(at: at(13_030)) == record)
    }

    @Test func aServerClockThatJumpedAheadDelaysTheClaim() {
        var waiter = machine()
        _ = waiter.received(held(9000, owner: Bytes("1".utf8)), serverTime: time(0), at: at(0), jitter: .zero)
        // The server's clock is 2 s further now: the TTL that it tells may be 2 s short.
        _ = waiter.received(held(4000, owner: record), serverTime: time(9000, ahead: 2000), at: at(9000), jitter: .zero)
        #expect(waiter.claimToPresent(at: at(15_049)) == nil)
        #expect(waiter.claimToPresent(at: at(15_050)) == record)
    }

    /// A clock that is slow by 0.9 %, and then steps: the step seems to be smaller than it is.
    @Test func aSlowClockHidesNoPartOfAStep() {
        var waiter = machine()
        _ = waiter.received(held(9000, owner: Bytes("1".utf8)), serverTime: time(0), at: at(0), jitter: .zero)
        // Renewed at 8,000, when the server's clock shows 7,928: the lease ends at 18,000. Then the clock steps by 100.
        _ = waiter.received(held(9801, owner: record), serverTime: time(8127), at: at(8100), jitter: .zero)
        #expect(waiter.claimToPresent(at: at(17_999)) == nil)
        #expect(waiter.claimToPresent(at: at(18_008)) == record)
    }

    /// It held the lock itself, or had no answers: the server's clock may have been put back, and forward again.
    @Test(arguments: [(20_000, 24_140), (20_001, 30_001)] as [(Int64, Int64)])
    func whatWasKnownBeforeALongSilenceIsNotKnownAnyMore(silence: Int64, claimed: Int64) {
        var waiter = machine()
        _ = waiter.received(held(9000, owner: Bytes("1".utf8)), serverTime: time(0), at: at(0), jitter: .zero)
        _ = waiter.received(held(4000, owner: record), serverTime: time(silence), at: at(silence), jitter: .zero)
        #expect(waiter.claimToPresent(at: at(claimed - 1)) == nil)
        #expect(waiter.claimToPresent(at: at(claimed)) == record)
    }

    /// An answer that says nothing of the holder came after the step: it is not what the step is read off.
    @Test func anAnswerThatShowsNoHolderDoesNotCountAsALook() {
        var waiter = machine()
        _ = waiter.received(held(9000, owner: Bytes("1".utf8)), serverTime: time(0), at: at(0), jitter: .zero)
        _ = waiter.received(.late, serverTime: time(8126), at: at(8099), jitter: .zero)
        _ = waiter.received(held(9801, owner: record), serverTime: time(8127), at: at(8100), jitter: .zero)
        #expect(waiter.claimToPresent(at: at(17_999)) == nil)
        #expect(waiter.claimToPresent(at: at(18_008)) == record)
    }

    @Test func aKeyThatOutlivesItsLeaseIsAskedForAndClaimedThen() {
        var waiter = machine()
        _ = waiter.received(held(9000, owner: Bytes("1".utf8)), serverTime: time(0), at: at(0), jitter: .zero)
        // The server's clock was put back by an hour.
        let look = held(3_604_000, owner: record)
        let decision = waiter.received(look, serverTime: time(-3_591_000), at: at(9000), jitter: .zero)
        #expect(decision == .wait(until: at(19_000), .held))
        #expect(waiter.claimToPresent(at: at(18_999)) == nil)
        #expect(waiter.claimToPresent(at: at(19_000)) == record)
        // A store that does not grant it is not asked again and again.
        let next = waiter.received(look, serverTime: time(-3_581_000), at: at(19_000), jitter: .zero)
        #expect(next == .wait(until: at(3_623_000), .held))
    }

    @Test func aRenewalInBetweenStartsTheCountAgain() {
        var waiter = machine()
        _ = waiter.received(held(4000, owner: Bytes("1".utf8)), serverTime: time(0), at: at(0), jitter: .zero)
        let orphan = AcquireReply.orphaned(Sighting(timeToLive: nil, owner: record, timeout: .seconds(10)))
        let decision = waiter.received(orphan, serverTime: time(9000), at: at(9000), jitter: .zero)
        #expect(waiter.claimToPresent(at: at(18_999)) == nil)
        #expect(decision == .wait(until: at(19_000), .orphaned))
    }

    @Test func fencesAreRemembered() {
        var waiter = machine()
        _ = waiter.received(held(4000), serverTime: 0, at: at(0), jitter: .zero)
        #expect(waiter.largestFence == 5)
        _ = waiter.received(.granted(.init(fence: 9)), serverTime: 0, at: at(1), jitter: .zero)
        #expect(waiter.largestFence == 9)
    }
}
