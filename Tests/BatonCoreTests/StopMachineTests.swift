// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// An operator's `stop`, step by step. What each look comes to is StopPlanTests'.
struct StopMachineTests {
    private static let tick: Int64 = 1_790_000_040
    private static let ended = Mark(kind: .runEnded, remaining: .seconds(60), by: "a")
    private static let down = Mark(kind: .heldDown, by: "a")

    /// A job of every minute that is tried again.
    private static let planner: TickPlanner = {
        var settings = ScheduleSettings(.every(seconds: 60))
        settings.retry = RetrySettings(attempts: 3, delay: .seconds(20), elsewhere: false)
        return TickPlanner(job: "report", settings: settings)
    }()

    private var machine = StopMachine(job: "report", Self.planner, by: "a", maxLockTimeout: .seconds(60))

    private static func entry(_ outcome: RunEnding?, attempt: Int = 1, tick: Int64 = tick) -> LedgerEntry {
        LedgerEntry(
            tick: tick, attempt: attempt, fence: tick * 1_000_000 + Int64(attempt), changed: tick * 1_000_000,
            outcome: outcome?.bytes)
    }

    /// Looked at five seconds after the tick.
    private static func looked(_ run: String?, _ entry: LedgerEntry?, _ mark: Mark? = nil) -> StopMachine.Event {
        let token = run.map { Bytes($0.utf8) }
        let holder = run.map { HolderRecord(node: "b", runID: $0, since: "").encode() }
        let view = LockView(
            token: token, holder: holder, holderToken: token, mark: mark, ledger: LedgerView(entry: entry))
        return .looked(view, at: (tick + 5) * 1_000_000)
    }

    private static func stopped(_ run: String?, isHeldDown: Bool = false) -> StopMachine.Action {
        .over(.stopped(StopReport(job: "report", isHeldDown: isHeldDown, runID: run, node: run == nil ? nil : "b")))
    }

    @Test func aServiceIsHeldDown() {
        var machine = StopMachine(job: "report", nil, by: "a", maxLockTimeout: .seconds(60))
        #expect(machine.handle(.began) == .look)
        #expect(machine.handle(Self.looked("r1", nil)) == .mark(Self.down))
        #expect(machine.handle(.marked) == Self.stopped("r1", isHeldDown: true))
    }

    @Test mutating func aRunIsToldToEnd() {
        #expect(machine.handle(.began) == .look)
        #expect(machine.handle(Self.looked("r1", Self.entry(nil))) == .mark(Self.ended))
        #expect(machine.handle(.marked) == .look)
        #expect(machine.handle(Self.looked("r1", Self.entry(nil), Self.ended)) == Self.stopped("r1"))
    }

    @Test mutating func aMarkThatCameAfterTheRunIsTakenAway() {
        _ = machine.handle(.began)
        _ = machine.handle(Self.looked("r1", Self.entry(nil)))
        #expect(machine.handle(.marked) == .look)
        #expect(machine.handle(Self.looked(nil, Self.entry(.succeeded), Self.ended)) == .mark(nil))
        #expect(machine.handle(.marked) == .look)
        #expect(machine.handle(Self.looked(nil, Self.entry(.succeeded))) == Self.stopped("r1"))
    }

    @Test mutating func theNextTicksRunIsLeftAlone() {
        _ = machine.handle(.began)
        _ = machine.handle(Self.looked("r1", Self.entry(nil)))
        _ = machine.handle(.marked)
        let next = Self.entry(nil, tick: Self.tick + 60)
        #expect(machine.handle(Self.looked("r2", next, Self.ended)) == .mark(nil))
        #expect(machine.handle(.marked) == .look)
        #expect(machine.handle(Self.looked("r2", next)) == Self.stopped("r1"))
    }

    @Test mutating func anotherAttemptAtTheTickIsEndedAsWell() {
        _ = machine.handle(.began)
        _ = machine.handle(Self.looked("r1", Self.entry(nil)))
        _ = machine.handle(.marked)
        // Its release took the mark with it.
        let second = Self.entry(nil, attempt: 2)
        #expect(machine.handle(Self.looked("r2", second)) == .mark(Self.ended))
        #expect(machine.handle(.marked) == .look)
        #expect(machine.handle(Self.looked("r2", second, Self.ended)) == Self.stopped("r2"))
    }

    @Test mutating func aRunThatFailedByItselfIsNotTriedAgain() {
        _ = machine.handle(.began)
        _ = machine.handle(Self.looked("r1", Self.entry(nil)))
        _ = machine.handle(.marked)
        let failed = Self.entry(.failed)
        #expect(machine.handle(Self.looked(nil, failed)) == .settle(failed.key, upTo: Self.tick + 5, []))
        var settled = failed
        (settled.tick, settled.attempt) = (Self.tick + 5, 0)
        #expect(
            machine.handle(.settled(settled))
                == .over(.stopped(StopReport(job: "report", isHeldDown: false, isGivenUp: true))))
    }

    @Test mutating func aLedgerThatChangesMeanwhileIsLookedAtAgain() {
        let failed = Self.entry(.failed)
        _ = machine.handle(.began)
        _ = machine.handle(Self.looked(nil, failed))
        let second = Self.entry(nil, attempt: 2)
        #expect(machine.handle(.settled(second)) == .look)
        #expect(machine.handle(Self.looked("r2", second)) == .mark(Self.ended))
    }

    @Test mutating func aStoreThatDoesNotSettleIsTold() {
        let failed = Self.entry(.failed)
        _ = machine.handle(.began)
        _ = machine.handle(Self.looked(nil, failed))
        #expect(machine.handle(.settled(failed)) == .over(.refused))
    }

    @Test mutating func aJobThatNeverRestsIsGivenUp() {
        var action = machine.handle(.began)
        var attempts = 0
        while action == .look {
            attempts += 1
            action = machine.handle(Self.looked(nil, Self.entry(.failed, attempt: attempts % 2 + 1)))
            guard case .settle = action else { break }
            action = machine.handle(.settled(Self.entry(.failed, attempt: attempts % 2 + 2)))
        }
        #expect(action == .over(.restless) && attempts == StopMachine.mostPlans + 1)
    }
}
