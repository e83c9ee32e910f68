// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

struct StopPlanTests {
    private static let noon: Int64 = 1_790_000_040
    private static func at(_ seconds: Int64) -> Int64 { (noon + seconds) * 1_000_000 }

    /// A job of every minute that is tried again after 20 seconds.
    private static func planner(jitter: Duration = .zero, every seconds: Int64 = 60) -> TickPlanner {
        var settings = ScheduleSettings(.every(seconds: seconds))
        settings.jitter = jitter
        settings.retry = RetrySettings(attempts: 3, delay: .seconds(20), elsewhere: false)
        return TickPlanner(job: "report", settings: settings)
    }

    /// The tick of noon, which ended two seconds later.
    private static func entry(_ outcome: RunEnding? = .failed, attempt: Int = 1, manual: Int64? = nil) -> LedgerEntry {
        LedgerEntry(
            tick: noon, attempt: attempt, manual: manual, fence: at(0), changed: at(2), outcome: outcome?.bytes)
    }

    private func plan(
        _ entry: LedgerEntry?, isHeld: Bool = false, _ mark: Mark? = nil, _ planner: TickPlanner? = Self.planner(),
        seconds: Int64 = 5
    ) -> StopPlan {
        let view = LockView(token: isHeld ? Bytes("t".utf8) : nil, mark: mark, ledger: LedgerView(entry: entry))
        return StopPlan(view, planner, by: "a", maxLockTimeout: .seconds(60), at: Self.at(seconds))
    }

    @Test func aServiceIsHeldDownWhetherItRunsOrNot() {
        for isHeld in [true, false] {
            #expect(plan(nil, isHeld: isHeld, nil, nil) == .mark(Mark(kind: .heldDown, by: "a")))
        }
    }

    @Test func theRunOfAScheduledJobIsEnded() {
        let ended = Mark(kind: .runEnded, remaining: .seconds(60), by: "a")
        #expect(plan(Self.entry(nil), isHeld: true) == .mark(ended))
        let coolingDown = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1, by: "b")
        #expect(plan(Self.entry(nil), isHeld: true, coolingDown) == .mark(ended))
        // During a pause nothing starts afterwards, for as long as the pause would have been.
        let paused = Mark(kind: .paused, remaining: .seconds(7), by: "b")
        let down = Mark(kind: .heldDown, remaining: .seconds(7), by: "a")
        #expect(plan(Self.entry(nil), isHeld: true, paused) == .mark(down))
        #expect(plan(Self.entry(nil), isHeld: true, down) == .nothing)
    }

    @Test func whatWouldBeTriedAgainIsNot() {
        let key = Self.entry().key
        #expect(plan(Self.entry()) == .giveUp(key, upTo: Self.noon + 5, []))
        // In the very second of its tick.
        #expect(plan(Self.entry(), seconds: 0) == .giveUp(key, upTo: Self.noon + 1, []))
        // Nobody knows how it ended: that is told, as it would have been by who tries again.
        let lost = Self.entry(nil)
        #expect(plan(lost) == .giveUp(lost.key, upTo: Self.noon + 5, [.lost(lost)]))
        for entry in [Self.entry(.succeeded), Self.entry(attempt: 3), Self.entry(.stopped), nil] {
            #expect(plan(entry) == .nothing)
        }
        // It is not tried again: the next one is due before. And what an operator asked for is in a moment.
        #expect(plan(Self.entry(), seconds: 60) == .nothing)
        #expect(plan(Self.entry(.withdrawn, manual: 7)) == .nothing)
        #expect(plan(Self.entry(.withdrawn)) == .nothing)
    }

    @Test func noOtherTickIsGivenUpWithIt() throws {
        // Its time was over when the operator said so, but for its jitter it is not due yet.
        let planner = Self.planner(jitter: .seconds(59), every: 60)
        let next = Self.noon + 60
        #expect(try #require(planner.dueAfter(Self.noon)) > (next + 1) * 1_000_000, "another job's name, then")
        #expect(plan(Self.entry(), nil, planner, seconds: 61) == .giveUp(Self.entry().key, upTo: next - 1, []))
        // There is no second between two ticks of a job of every second.
        let entry = LedgerEntry(
            tick: Self.noon, attempt: 1, fence: Self.at(0), changed: Self.at(0) - 20_000_000,
            outcome: RunEnding.failed.bytes)
        #expect(Self.planner(every: 1).triesAgain(entry, at: Self.at(0)))
        #expect(plan(entry, nil, Self.planner(every: 1), seconds: 0) == .nothing)
    }
}
