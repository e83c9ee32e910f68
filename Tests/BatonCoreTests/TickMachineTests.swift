// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// A job of every minute, on a node whose clock shows so many milliseconds when the store's is so long after noon.
@Suite struct TickMachineTests {
    private static let noon: Int64 = 1_790_000_040
    private var machine = TickMachine(
        TickPlanner(job: "report", settings: ScheduleSettings(.every(seconds: 60))), node: "a",
        maxLockTimeout: .seconds(60), upSince: Instant(nanoseconds: 0))
    private var floor: Int64 = 0

    private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    private func store(_ milliseconds: Int64) -> Int64 { Self.noon * 1_000_000 + milliseconds * 1000 }

    private mutating func handle(_ event: TickMachine.Event, _ milliseconds: Int64) -> TickMachine.Action? {
        machine.handle(event, time: store(milliseconds), floor: floor, at: at(milliseconds))
    }

    private func entry(_ minute: Int64 = 0, attempt: Int = 1, outcome: RunEnding? = .succeeded) -> LedgerEntry {
        LedgerEntry(
            tick: Self.noon + minute * 60, attempt: attempt, fence: attempt == 0 ? 0 : 7,
            changed: store(minute * 60_000),
            outcome: outcome?.bytes)
    }

    private func claim(_ minute: Int64, after entry: LedgerEntry) -> TickMachine.Action {
        .claim(
            .init(
                tick: Self.noon + minute * 60, attempt: 1, omissions: [], validUntil: store((minute + 1) * 60_000)),
            entry.key, until: at((minute + 1) * 60_000))
    }

    private let look = TickMachine.Action.settle(nil, upTo: nil, [])

    @Test mutating func itLooksThenWaitsForTheNextTickAndClaimsIt() {
        #expect(handle(.began, 0) == look)
        #expect(handle(.saw(LedgerView(entry: entry())), 1) == .wait(until: at(60_000)))
        #expect(machine.nextTick == Self.noon + 60)
        // Woken too early: once more.
        #expect(handle(.woke, 59_999) == .wait(until: at(60_000)))
        #expect(handle(.woke, 60_000) == claim(1, after: entry()))
        // Another node was quicker, and its run is over already.
        #expect(handle(.saw(LedgerView(entry: entry(1))), 60_003) == .wait(until: at(120_000)))
    }

    @Test mutating func aLongWaitNeedsNobodyUntilSomeSecondsBeforeItsEnd() throws {
        #expect(machine.dormantUntil(time: store(0)) == nil)
        _ = handle(.began, 0)
        #expect(machine.dormantUntil(time: store(0)) == nil)
        _ = handle(.saw(LedgerView(entry: entry())), 1)
        let moment = try #require(machine.dormantUntil(time: store(1)))
        #expect(store(50_000) < moment && moment <= store(55_000))
        // As long as the store's clock is not known, nobody knows how long the wait is.
        #expect(machine.dormantUntil(time: nil) == nil)
        #expect(machine.dormantUntil(time: store(40_000)) == moment)
        // Too short to be worth it.
        #expect(machine.dormantUntil(time: store(40_001)) == nil)
        // It is not idle: the store has to be asked again.
        _ = handle(.rang, 5000)
        #expect(machine.dormantUntil(time: store(5000)) == nil)
        _ = handle(.failed(jitter: 0), 5001)
        #expect(machine.dormantUntil(time: store(5001)) == nil)
    }

    @Test mutating func whatAStoreMayHaveForgottenIsSaidAgainByOneThatIsAwake() {
        // This node knows of a tick that is ahead of the store's clock.
        floor = Self.noon + 60
        _ = handle(.began, 0)
        _ = handle(.saw(LedgerView(entry: entry(1))), 1)
        #expect(machine.isIdle && machine.dormantUntil(time: store(1)) == nil)
    }

    @Test mutating func aScheduleThatIsOverIsNotWokenByTheTime() {
        machine = TickMachine(
            TickPlanner(job: "report", settings: ScheduleSettings(.every(seconds: .max))), node: "a",
            maxLockTimeout: .seconds(60), upSince: Instant(nanoseconds: 0))
        _ = handle(.began, 0)
        _ = handle(.saw(LedgerView(entry: entry())), 1)
        #expect(machine.dormantUntil(time: store(1)) == .max)
    }

    @Test mutating func aBellWhileItWaitsIsAReasonToLook() {
        _ = handle(.began, 0)
        _ = handle(.saw(LedgerView(entry: entry())), 1)
        #expect(handle(.rang, 5000) == look)
        #expect(handle(.rang, 5001) == nil)
        // What was announced after the request was sent may not be in its answer.
        #expect(handle(.saw(LedgerView(entry: entry())), 5002) == look)
        let asked = LedgerView(entry: entry(), asked: .init(id: 99, by: "root"))
        #expect(
            handle(.saw(asked), 5003)
                == .claim(.init(tick: Self.noon, attempt: 1, manual: 99, omissions: []), entry().key, until: nil))
    }

    @Test mutating func aStoreThatDoesNotAnswerIsAskedLessAndLessOften() {
        _ = handle(.began, 0)
        #expect(handle(.failed(jitter: 1), 1) == .wait(until: at(101)))
        #expect(handle(.rang, 50) == .wait(until: at(101)))
        #expect(handle(.woke, 101) == look)
        #expect(handle(.failed(jitter: 1), 102) == .wait(until: at(302)))
        for second: Int64 in 1...20 {
            _ = handle(.woke, second * 1000)
            _ = handle(.failed(jitter: 1), second * 1000)
        }
        #expect(handle(.woke, 200_000) == look)
        #expect(handle(.failed(jitter: 0), 200_000) == .wait(until: at(200_500)))
    }

    @Test mutating func whatTheStoreDoesNotDoIsNotAskedForAtOnceAgain() {
        _ = handle(.began, 0)
        // It does not know its own past yet: that is waited for as by everybody who competes.
        let opening = TickMachine.Action.claim(.init(tick: Self.noon, attempt: 1, omissions: []), nil, until: nil)
        #expect(handle(.saw(LedgerView()), 1) == opening)
        #expect(handle(.saw(LedgerView()), 30_000) == .wait(until: at(31_000)))
        #expect(handle(.woke, 31_000) == look)
        #expect(
            handle(.saw(LedgerView()), 31_001)
                == .claim(.init(tick: Self.noon + 31, attempt: 1, omissions: []), nil, until: nil))
        #expect(handle(.saw(LedgerView(entry: entry())), 31_002) == .wait(until: at(60_000)))
        _ = handle(.woke, 60_000)
        // By the clock that counts it is too early.
        #expect(handle(.saw(LedgerView(entry: entry())), 60_001) == .wait(until: at(61_001)))
        #expect(handle(.woke, 61_001) == look)
        #expect(handle(.saw(LedgerView(entry: entry())), 61_002) == claim(1, after: entry()))
    }

    @Test mutating func whatIsNotDecidedOnInTimeIsDecidedAnew() {
        _ = handle(.began, 0)
        _ = handle(.saw(LedgerView(entry: entry())), 1)
        #expect(handle(.woke, 60_000) == claim(1, after: entry()))
        #expect(
            handle(.timeUp, 120_000)
                == .claim(
                    .init(
                        tick: Self.noon + 120, attempt: 1,
                        omissions: [.missed(.init(first: Self.noon + 60, last: Self.noon + 60, count: 1))],
                        validUntil: store(180_000)),
                    entry().key, until: at(180_000)))
    }

    @Test mutating func whatItRemembersIsSaidAgainWhileTheStoreCouldRepeatIt() {
        floor = Self.noon + 60
        #expect(handle(.began, 0) == look)
        #expect(handle(.saw(LedgerView(entry: entry(1))), 1) == .wait(until: at(30_001)))
        #expect(handle(.woke, 30_001) == look)
        #expect(handle(.saw(LedgerView(entry: entry(1))), 30_002) == .wait(until: at(60_002)))
        #expect(handle(.woke, 60_002) == look)
        #expect(handle(.saw(LedgerView(entry: entry(1))), 60_003) == .wait(until: at(120_000)))
    }

    @Test mutating func noWaitIsLongerThanFiveMinutes() {
        machine = TickMachine(
            TickPlanner(job: "report", settings: ScheduleSettings(.every(seconds: 86_400))), node: "a",
            maxLockTimeout: .seconds(60), upSince: Instant(nanoseconds: 0))
        _ = handle(.began, 0)
        #expect(handle(.saw(LedgerView(entry: entry())), 1) == .wait(until: at(300_001)))
        #expect(handle(.woke, 300_001) == .wait(until: at(600_001)))
    }

    @Test mutating func whatFailedHereIsLeftToOthersFirst() {
        var settings = ScheduleSettings(.every(seconds: 60))
        settings.retry = RetrySettings(attempts: 2, delay: .seconds(10))
        machine = TickMachine(
            TickPlanner(job: "report", settings: settings), node: "a", maxLockTimeout: .seconds(60),
            upSince: Instant(nanoseconds: 0))
        _ = handle(.began, 0)
        var failed = entry(outcome: .failed)
        failed.info = HolderRecord(node: "a", runID: "r1", since: "").encode()
        #expect(handle(.saw(LedgerView(entry: failed)), 1) == .wait(until: at(12_000)))
        failed.info = HolderRecord(node: "b", runID: "r1", since: "").encode()
        _ = handle(.rang, 2)
        #expect(handle(.saw(LedgerView(entry: failed)), 3) == .wait(until: at(10_000)))
    }
}
