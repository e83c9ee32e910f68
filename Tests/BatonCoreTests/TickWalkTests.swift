// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// Nodes with old views, nodes that come and go, runs that are lost: on the model of the ledger.
@Suite struct TickWalkTests {
    private struct Walk {
        var random: SplitMix
        let planner: TickPlanner
        var ledger = Ledger()
        var now: Int64 = 1_790_000_000_000_000
        var nodes: [(view: LedgerView, upSince: Int64)]
        /// The run that goes on.
        var run: (entry: LedgerEntry, end: Int64, isLost: Bool)?
        var runs: [(tick: Int64, attempt: Int)] = []
        var omitted: [Int64: Int] = [:]
        var problems: [String] = []

        mutating func step() {
            now += Int64.random(in: 1...700_000, using: &random)
            if let run, run.end <= now {
                self.run = nil
                if !run.isLost {
                    let outcome = Bool.random(using: &random) ? RunEnding.succeeded : .failed
                    _ = ledger.conclude(
                        RunRecord(run: run.entry, outcome: Bytes(outcome.rawValue.utf8), line: nil), at: now)
                }
            }
            let node = Int.random(in: nodes.indices, using: &random)
            switch Int.random(in: 0..<40, using: &random) {
            case 0: nodes[node].upSince = now
            case 1: now += Int64.random(in: 0...30_000_000, using: &random)
            case 2..<12: nodes[node].view = ledger.view
            default: act(node)
            }
        }

        private mutating func act(_ node: Int) {
            let (view, upSince) = nodes[node]
            switch planner.plan(view, upSince: upSince, at: now) {
            case .open: _ = ledger.open(floor: 0, fence: 0, at: now)
            case .wait(let until):
                if let until, until <= now { problems.append("waits for \(until) at \(now)") }
            case .settle(let tick, let omissions):
                if ledger.settle(upTo: tick, expecting: view.entry?.key, at: now) { omit(omissions) }
            case .claim(let turn):
                guard run == nil else { return }
                let claim = LedgerClaim(
                    expected: view.entry?.key, tick: turn.tick, attempt: turn.attempt, manual: turn.manual,
                    info: Bytes("\(runs.count)".utf8))
                if !ledger.open(floor: 0, fence: 0, at: now), ledger.admits(claim, isOurs: false, at: now) {
                    _ = ledger.enter(claim, fence: now, at: now)
                    runs.append((turn.tick, turn.attempt))
                    omit(turn.omissions)
                    if let entry = ledger.entry {
                        let length = Int64.random(
                            in: 1...(Bool.random(using: &random) ? 500_000 : 12_000_000), using: &random)
                        run = (entry, now + length, Int.random(in: 0..<5, using: &random) == 0)
                    }
                }
            }
            nodes[node].view = ledger.view
        }

        private mutating func omit(_ omissions: [TickPlan.Omission]) {
            for omission in omissions {
                switch omission {
                case .missed(let ticks), .skipped(let ticks):
                    let all = planner.settings.schedule.ticks(
                        after: ticks.first - 1, through: ticks.last, limit: 10_000)
                    if all.count != ticks.count { problems.append("\(ticks) are \(all.count)") }
                    for tick in all { omitted[tick, default: 0] += 1 }
                case .lost: break
                }
            }
        }
    }

    @Test(arguments: 0..<60) func everyTickRunsOnceOrIsAccountedFor(seed: UInt64) {
        var random = SplitMix(state: seed)
        var settings = ScheduleSettings(.every(seconds: [1, 2, 5, 7].randomElement(using: &random) ?? 1))
        settings.catchUp = ScheduleSettings.CatchUp.allCases.randomElement(using: &random) ?? .none
        settings.startDeadline = Bool.random(using: &random) ? .seconds(6) : nil
        settings.overlap = ScheduleSettings.Overlap.allCases.randomElement(using: &random) ?? .skip
        settings.retry = RetrySettings(attempts: Int.random(in: 1...3, using: &random), delay: .seconds(1))
        var walk = Walk(
            random: random, planner: TickPlanner(job: "j", settings: settings, grace: .seconds(2)),
            nodes: Array(repeating: (LedgerView(), 0), count: 4))
        for _ in 0..<4000 { walk.step() }
        #expect(walk.problems.isEmpty)
        #expect(walk.runs.count > 20)
        for (earlier, later) in zip(walk.runs, walk.runs.dropFirst()) {
            #expect((earlier.tick, earlier.attempt) < (later.tick, later.attempt))
        }
        // From the first run to the last: each tick has runs, or is in one line of the history.
        let run = Set(walk.runs.map(\.tick))
        guard let first = run.min(), let last = run.max() else { return }
        for tick in settings.schedule.ticks(after: first - 1, through: last, limit: 1_000_000) {
            #expect((walk.omitted[tick] ?? 0) + (run.contains(tick) ? 1 : 0) == 1, "tick \(tick)")
        }
    }
}
