// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Rule S10: a lease ends by the server's clock as well. In these transcripts the server's clock shows 1,000 s when ours
/// shows nothing.
struct ServerClockTests {
    /// T = 15 s: drift 402 ms, D at 14.598 s.
    private let timing = LeaseTiming(
        timeout: .seconds(15), killLatency: .milliseconds(250), requestTimeout: .seconds(1))

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

    /// What the server's clock shows when ours shows so much and is so far behind.
    private func server(_ milliseconds: Int64, behind: Int64 = 0, clock: Int = 0) -> ServerTime {
        ServerTime(microseconds: 1_000_000_000 + (milliseconds + behind) * 1000, clock: clock)
    }

    private func reading(_ milliseconds: Int64, behind: Int64 = 0, late: Int64 = 0, clock: Int = 0) -> ClockReading {
        ClockReading(server(milliseconds, behind: behind, clock: clock), arrival: at(milliseconds + late))
    }

    private func lease() -> LeaseMachine { LeaseMachine(timing: timing, sentAt: at(0), granted: server(1)) }

    // MARK: The lease

    @Test func anAnswerThatWasSlowTellsNothing() {
        var lease = lease()
        for late: Int64 in [0, 3, 900, 4000] {
            #expect(lease.handle(.heard(reading(900, late: late)), at: at(4900)) == [])
            #expect(lease.deadline == at(14_598))
        }
    }

    @Test func aShortPauseMakesTheLeaseShorterAndIsClearedUpAtOnce() {
        var lease = lease()
        // 3 s went by that we did not count: D comes 3 s nearer, and 1 ms for the way of the yes.
        #expect(
            lease.handle(.heard(reading(2000, behind: 3000)), at: at(2000))
                == [.deadlineNeared(to: at(11_599)), .renew(within: .seconds(1))])
        #expect(lease.deadline == at(11_599))
        // The same again changes nothing, and neither does a clock that is set back.
        #expect(lease.handle(.heard(reading(2100, behind: 3000)), at: at(2100)) == [])
        #expect(lease.handle(.heard(reading(2200, behind: -9000)), at: at(2200)) == [])
        // A yes that was asked for afterwards makes it as long as ever.
        let yes = LeaseMachine.Event.renewed(sentAt: at(2000), granted: server(2001, behind: 3000))
        #expect(lease.handle(yes, at: at(2300)) == [.deadlineMoved(to: at(16_598))])
    }

    @Test func whatIsLostInTheMarginIsNotAskedAbout() {
        var lease = lease()
        #expect(lease.handle(.heard(reading(2000, behind: 300)), at: at(2000)) == [.deadlineNeared(to: at(14_299))])
        #expect(lease.nextWake == at(5000))
    }

    @Test func aLeaseThatIsOverByTheServersClockIsOver() {
        var lease = lease()
        #expect(lease.handle(.heard(reading(2000, behind: 20_000)), at: at(2000)) == [.lost(.outrun)])
        #expect(lease.loss == .outrun && !lease.isRenewing && lease.nextWake == nil)
    }

    @Test func theYesThatIsOnItsWayDoesNotSaveIt() {
        var lease = lease()
        _ = lease.handle(.woke, at: at(5000))
        #expect(lease.handle(.heard(reading(5010, behind: 20_000)), at: at(5010)) == [.lost(.outrun)])
        #expect(lease.isRenewing)
        let yes = LeaseMachine.Event.renewed(sentAt: at(5000), granted: server(5001))
        #expect(lease.handle(yes, at: at(5020)) == [.undo])
        #expect(!lease.isRenewing)
    }

    @Test func aYesFromBeforeThePauseIsMeasuredByWhatWasReadSince() {
        var lease = lease()
        _ = lease.handle(.woke, at: at(5000))
        // The pause came after the server had said yes, and another answer came first.
        #expect(
            lease.handle(.heard(reading(5010, behind: 6000)), at: at(5010)) == [.deadlineNeared(to: at(8599))])
        let yes = LeaseMachine.Event.renewed(sentAt: at(5000), granted: server(5001))
        #expect(lease.handle(yes, at: at(5020)) == [.deadlineMoved(to: at(13_599))])
    }

    @Test func aGrantFromBeforeThePauseIsMeasuredToo() {
        let early = LeaseMachine(
            timing: timing, sentAt: at(0), granted: server(1), knowing: reading(10, behind: 6000))
        #expect(early.deadline == at(8599))
        // What was read before the request was sent is nothing to it.
        let late = LeaseMachine(
            timing: timing, sentAt: at(20), granted: server(21), knowing: reading(10, behind: 6000))
        #expect(late.deadline == at(14_618))
    }

    @Test func anotherServersClockIsNotComparedButAsked() {
        var lease = lease()
        let other = reading(2000, behind: 3_600_000, clock: 1)
        #expect(lease.handle(.heard(other), at: at(2000)) == [.renew(within: .seconds(1))])
        #expect(lease.deadline == at(14_598))
        #expect(lease.handle(.heard(reading(2100, behind: 3_600_000, clock: 1)), at: at(2100)) == [])
        let yes = LeaseMachine.Event.renewed(sentAt: at(2000), granted: server(2001, behind: 3_600_000, clock: 1))
        #expect(lease.handle(yes, at: at(2200)) == [.deadlineMoved(to: at(16_598))])
        #expect(lease.handle(.heard(reading(2300, behind: 3_620_000, clock: 1)), at: at(2300)) == [.lost(.outrun)])
    }

    @Test func aPauseBeforeTheNextServersFirstYesShowsOnItsClock() {
        var lease = lease()
        _ = lease.handle(.heard(reading(2000, behind: 3_600_000, clock: 1)), at: at(2000))
        #expect(
            lease.handle(.heard(reading(3000, behind: 3_606_000, clock: 1)), at: at(3000))
                == [.deadlineNeared(to: at(8598))])
        #expect(lease.handle(.heard(reading(3100, behind: 3_620_000, clock: 1)), at: at(3100)) == [.lost(.outrun)])
    }

    @Test func aLeaseOnOurOwnClockHearsNothing() {
        var lease = LeaseMachine(timing: timing, sentAt: at(0))
        #expect(lease.handle(.heard(reading(2000, behind: 20_000)), at: at(2000)) == [])
        #expect(lease.handle(.heard(reading(2000, clock: 7)), at: at(2000)) == [])
    }

    @Test func whatWasReadAWhileAgoCountsForALittleLess() {
        let reading = reading(1000)
        #expect(reading.serverTime(at: at(1000)) == server(1000).microseconds)
        // A clock that is slow by 1 % shows no less.
        #expect(reading.serverTime(at: at(101_000)) == server(100_000).microseconds)
    }

    // MARK: The watch

    private func heard(
        _ watch: inout ClockWatch, _ milliseconds: Int64, behind: Int64 = 0, out: Int64 = 1, back: Int64 = 1,
        clock: Int = 0
    ) -> ClockWatch.Notice? {
        watch.heard(
            reading(milliseconds, behind: behind, late: back, clock: clock), sentAt: at(milliseconds - out))
    }

    @Test func slowAnswersAreNoJumps() {
        var watch = ClockWatch()
        for (sent, back): (Int64, Int64) in [(1, 1), (900, 900), (0, 0), (4000, 0), (0, 4000), (1, 1)] {
            #expect(heard(&watch, 10_000, out: sent, back: back) == nil)
        }
    }

    @Test func aJumpIsToldOnceAndThenTheNext() {
        var watch = ClockWatch()
        #expect(heard(&watch, 1000) == nil)
        #expect(heard(&watch, 2000, behind: 6) == nil, "within the tolerance")
        let jump = heard(&watch, 3000, behind: 500)
        #expect(jump == .ahead(reading(3000, behind: 500, late: 1), by: .milliseconds(498)))
        #expect(heard(&watch, 4000, behind: 500) == nil)
        #expect(heard(&watch, 5000, behind: 900)?.reading == reading(5000, behind: 900, late: 1))
    }

    @Test func aClockThatIsSetBackIsTheNewMeasure() {
        var watch = ClockWatch()
        #expect(heard(&watch, 1000) == nil)
        #expect(heard(&watch, 2000, behind: -60_000) == nil)
        #expect(heard(&watch, 3000, behind: -50_000)?.reading == reading(3000, behind: -50_000, late: 1))
    }

    @Test func anotherServerIsToldOf() {
        var watch = ClockWatch()
        #expect(heard(&watch, 1000) == nil)
        let other = reading(2000, behind: 3_600_000, late: 1, clock: 1)
        #expect(heard(&watch, 2000, behind: 3_600_000, clock: 1) == .another(other))
        #expect(heard(&watch, 3000, behind: 3_600_000, clock: 1) == nil)
    }

    // MARK: Both, on random walks

    /// A node with one lease and a server. Time is the server's; ours stands still while the node is paused.
    private struct Walk {
        var random: SplitMix
        var now: Int64 = 0
        var paused: Int64 = 0
        var watch = ClockWatch()
        var lease: LeaseMachine
        /// The end of the lease at the server: what the last yes set.
        var end: Int64

        var ours: Instant { Instant(nanoseconds: (now - paused) * 1_000_000) }
    }

    /// - Parameter pauses: whether the node is paused now and then.
    private func walk(_ seed: UInt64, pauses: Bool) -> (outrun: Int, shortened: Int) {
        var walk = Walk(
            random: SplitMix(state: seed),
            lease: LeaseMachine(timing: timing, sentAt: at(0), granted: ServerTime(microseconds: 0)),
            end: 15_000)
        func pass(_ most: Int64) {
            walk.now += Int64.random(in: 0...most, using: &walk.random)
            guard pauses, Int.random(in: 0..<60, using: &walk.random) == 0 else { return }
            let pause = Int64.random(in: 1...40_000, using: &walk.random)
            walk.now += pause
            walk.paused += pause
        }
        var (outrun, shortened, mustRenew) = (0, 0, false)
        for _ in 0..<400 where !walk.lease.isOver {
            // One request with its answer: a renewal if one is due, or somebody else's.
            pass(900)
            let sentAt = walk.ours
            var renews = mustRenew
            mustRenew = false
            for case .renew in walk.lease.handle(.woke, at: sentAt) { renews = true }
            if walk.lease.isOver { break }
            pass(400)
            let time = ServerTime(microseconds: walk.now * 1000)
            // Whoever comes after the end may take the lock.
            let isYes = renews && walk.now < walk.end
            if isYes { walk.end = walk.now + 15_000 }
            pass(400)
            let notice = walk.watch.heard(ClockReading(time, arrival: walk.ours), sentAt: sentAt)
            if let notice {
                for action in walk.lease.handle(.heard(notice.reading), at: walk.ours) {
                    if action == .lost(.outrun) { outrun += 1 }
                    if case .deadlineNeared = action { shortened += 1 }
                    if case .renew = action { mustRenew = true }
                }
                // From here on we know, unless the pause came after the answer was given.
                let known = walk.now * 1000 - time.microseconds < 400_000
                if !walk.lease.isOver, known {
                    let left = walk.lease.deadline - walk.ours
                    #expect(left <= .milliseconds(walk.end - walk.now) - timing.drift + .milliseconds(400 + 5))
                }
            }
            if renews {
                _ = walk.lease.handle(isYes ? .renewed(sentAt: sentAt, granted: time) : .refused, at: walk.ours)
            }
        }
        return (outrun, shortened)
    }

    @Test func withoutPausesNoLeaseIsEverShortened() {
        for seed in 0..<200 as Range<UInt64> {
            let (outrun, shortened) = walk(seed, pauses: false)
            #expect(outrun == 0 && shortened == 0, "seed \(seed)")
        }
    }

    @Test func afterAPauseNoLeaseIsLongerThanTheServers() {
        var total = (outrun: 0, shortened: 0)
        for seed in 0..<400 as Range<UInt64> {
            let (outrun, shortened) = walk(seed, pauses: true)
            total = (total.outrun + outrun, total.shortened + shortened)
        }
        #expect(total.outrun > 50 && total.shortened > 50)
    }
}
