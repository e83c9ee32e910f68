// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

@Suite struct TickPlannerTests {
    private let noon: Int64 = 1_790_000_040
    private func at(_ seconds: Double) -> Int64 { noon * 1_000_000 + Int64(seconds * 1e6) }

    /// A job of every minute; `seconds` count from a full one.
    private func planner(
        _ catchUp: ScheduleSettings.CatchUp = .none, _ overlap: ScheduleSettings.Overlap = .skip,
        deadline: Duration? = nil,
        retry: RetrySettings = RetrySettings()
    ) -> TickPlanner {
        var settings = ScheduleSettings(.every(seconds: 60))
        (settings.catchUp, settings.overlap, settings.startDeadline) = (catchUp, overlap, deadline)
        settings.retry = retry
        return TickPlanner(job: "report", settings: settings)
    }

    /// What was claimed at noon, or only settled.
    private func view(
        attempt: Int = 1, changed: Double = 2, outcome: RunEnding? = .succeeded, asked: Int64? = nil
    ) -> LedgerView {
        LedgerView(
            entry: LedgerEntry(
                tick: noon, attempt: attempt, fence: attempt == 0 ? 0 : at(1), changed: at(changed),
                outcome: outcome.map { Bytes($0.rawValue.utf8) }),
            asked: asked.map { .init(id: $0, by: "root") })
    }

    /// The claim of a tick, which is good until the next one is due unless it says otherwise.
    private func turn(
        _ minute: Int64, attempt: Int = 1, _ omissions: [TickPlan.Omission] = [], until end: Double? = nil
    ) -> TickPlan {
        .claim(
            .init(
                tick: noon + 60 * minute, attempt: attempt, omissions: omissions,
                validUntil: at(end ?? Double(minute + 1) * 60)))
    }

    private func ticks(_ first: Int64, _ last: Int64) -> TickPlan.Ticks {
        .init(first: noon + 60 * first, last: noon + 60 * last, count: Int(last - first + 1))
    }

    @Test func anUnknownJobBeginsWithWhatIsToCome() {
        #expect(planner(.all).plan(LedgerView(), upSince: 0, at: at(0)) == .open)
    }

    @Test func aTickIsClaimedWhenItIsDue() {
        #expect(planner().plan(view(), upSince: 0, at: at(3)) == .wait(until: at(60)))
        #expect(planner().plan(view(), upSince: 0, at: at(60)) == turn(1))
        #expect(planner().plan(view(attempt: 0, outcome: nil), upSince: 0, at: at(60)) == turn(1))
    }

    @Test func aTickThatWasDueWhileNobodyWasUp() {
        // Others may be about to claim it.
        #expect(planner().plan(view(), upSince: at(61), at: at(62)) == .wait(until: at(65)))
        #expect(
            planner().plan(view(), upSince: at(61), at: at(65)) == .settle(noon + 60, [.missed(ticks(1, 1))]))
        // One that was up, and could not reach the store, still runs it.
        #expect(planner().plan(view(), upSince: at(59), at: at(100)) == turn(1))
        #expect(planner(.last).plan(view(), upSince: at(61), at: at(62)) == turn(1))
    }

    @Test func threeTicksThatWereMissed() {
        let after = at(190)
        #expect(planner().plan(view(), upSince: after, at: after) == .settle(noon + 180, [.missed(ticks(1, 3))]))
        #expect(planner(.last).plan(view(), upSince: after, at: after) == turn(3, [.missed(ticks(1, 2))]))
        #expect(planner(.all).plan(view(), upSince: after, at: after) == turn(1, until: 240))
        #expect(
            planner(.all, deadline: .seconds(100)).plan(view(), upSince: after, at: after)
                == turn(2, [.missed(ticks(1, 1))], until: 220))
        #expect(
            planner(.last, deadline: .seconds(5)).plan(view(), upSince: after, at: after)
                == .settle(noon + 180, [.missed(ticks(1, 3))]))
    }

    @Test func ofVeryManyMissedOnesTheLatestAreLookedAt() {
        let after = at(60 * 5000 + 10)
        guard case .claim(let turn) = planner(.all).plan(view(), upSince: after, at: after) else {
            Issue.record("no claim")
            return
        }
        #expect(turn.tick == noon + 60 * 4901)
        #expect(
            turn.omissions == [
                .missed(.init(first: noon + 60 * 4001, last: noon + 60 * 4900, count: 900, isAll: false))
            ])
    }

    @Test func aTickThatIsDueWhileTheLastRunGoesOn() {
        let long = view(changed: 130)
        #expect(planner().plan(long, upSince: 0, at: at(130)) == .settle(noon + 120, [.skipped(ticks(1, 2))]))
        #expect(planner(.all).plan(long, upSince: 0, at: at(130)) == .settle(noon + 120, [.skipped(ticks(1, 2))]))
        #expect(planner(.none, .queue).plan(long, upSince: 0, at: at(130)) == turn(2, [.skipped(ticks(1, 1))]))
        #expect(planner(.none, .replace).plan(long, upSince: 0, at: at(130)) == turn(2, [.skipped(ticks(1, 1))]))
        #expect(planner(.all, .queue).plan(long, upSince: 0, at: at(130)) == turn(1, until: 180))
        // And one more came after it.
        #expect(planner().plan(long, upSince: 0, at: at(181)) == turn(3, [.skipped(ticks(1, 2))]))
    }

    @Test func ticksThatWereDueBeforeTheLastRunBeganWereNotOverlapped() {
        // Of three missed ones the first was run late, and took until the next one was due.
        var view = view(changed: 245)
        view.entry?.fence = at(190)
        view.entry?.tick = noon + 60
        #expect(planner(.all).plan(view, upSince: 0, at: at(245)) == turn(2, until: 300))
        view.entry?.tick = noon + 180
        #expect(planner(.all).plan(view, upSince: 0, at: at(245)) == .settle(noon + 240, [.skipped(ticks(4, 4))]))
        // Some of either kind, none of which is run.
        view.entry?.tick = noon + 60
        #expect(
            planner(.last).plan(view, upSince: 0, at: at(305))
                == turn(5, [.missed(ticks(2, 3)), .skipped(ticks(4, 4))], until: 360))
    }

    @Test func whatFailedIsTriedAgain() {
        let retry = RetrySettings(attempts: 3, delay: .seconds(10), reasons: [.failed, .lost])
        let planner = planner(retry: retry)
        #expect(planner.plan(view(outcome: .failed), upSince: 0, at: at(3)) == .wait(until: at(12)))
        #expect(planner.plan(view(outcome: .failed), upSince: 0, at: at(12)) == turn(0, attempt: 2))
        #expect(
            planner.plan(view(outcome: .failed), upSince: 0, handicap: .seconds(15), at: at(12)) == .wait(until: at(27))
        )
        #expect(planner.plan(view(attempt: 3, outcome: .failed), upSince: 0, at: at(12)) == .wait(until: at(60)))
        #expect(planner.plan(view(outcome: .timeout), upSince: 0, at: at(12)) == .wait(until: at(60)))
        #expect(planner.plan(view(outcome: .stopped), upSince: 0, at: at(12)) == .wait(until: at(60)))
        // Nobody said how it ended.
        let lost = view(outcome: nil)
        #expect(
            planner.plan(lost, upSince: 0, at: at(17)) == lost.entry.map { turn(0, attempt: 2, [.lost($0)]) })
        // The next tick is due before.
        #expect(planner.plan(view(changed: 55, outcome: .failed), upSince: 0, at: at(56)) == .wait(until: at(60)))
        #expect(planner.plan(view(changed: 55, outcome: .failed), upSince: 0, at: at(70)) == turn(1))
    }

    @Test func anOperatorsRunIsNotWaitedFor() {
        #expect(
            planner().plan(view(asked: 99), upSince: 0, at: at(3))
                == .claim(.init(tick: noon, attempt: 1, manual: 99, omissions: [])))
        // It is not tried again.
        var view = view(outcome: .failed)
        view.entry?.manual = 99
        #expect(planner(retry: .init(attempts: 3)).plan(view, upSince: 0, at: at(50)) == .wait(until: at(60)))
    }

    @Test func whatWasGivenBackAtOnceIsAsGoodAsUnclaimed() {
        let view = view(attempt: 4, outcome: .withdrawn)
        #expect(planner().plan(view, upSince: 0, at: at(3)) == turn(0, attempt: 5))
        // When the next tick is due as well, it goes by the same rules as others.
        let missed = [TickPlan.Omission.missed(ticks(0, 0))]
        #expect(planner().plan(view, upSince: 0, at: at(61)) == turn(1, missed))
        #expect(planner(.all).plan(view, upSince: 0, at: at(61)) == turn(0, attempt: 5, until: 120))
        // An operator's run is not left for it.
        var wish = view
        wish.entry?.manual = 99
        #expect(
            planner().plan(wish, upSince: 0, at: at(61))
                == .claim(
                    .init(tick: noon, attempt: 5, manual: 99, omissions: [], validUntil: at(60))))
    }

    @Test func jitterIsTheSameEverywhereAndDiffersByTick() {
        var settings = ScheduleSettings(.every(seconds: 3600))
        settings.jitter = .seconds(300)
        let planner = TickPlanner(job: "report", settings: settings)
        let delays = (0..<200).map { planner.due($0 * 3600) - $0 * 3_600_000_000 }
        #expect(delays.allSatisfy { (0...300_000_000).contains($0) })
        #expect(Set(delays).count > 150)
    }
}
