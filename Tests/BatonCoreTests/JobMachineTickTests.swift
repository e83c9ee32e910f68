// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import BatonCore

/// Runs of ticks, and time limits of runs.
@Suite struct JobMachineTickTests {
    private func at(_ milliseconds: Int64) -> Instant { JobMachineTests.at(milliseconds) }

    private func running(_ change: (inout JobDefinition) -> Void) -> JobMachine {
        var definition = JobMachineTests.definition
        change(&definition)
        var machine = JobMachine(definition: definition, timing: JobMachineTests.timing, node: "n1")
        _ = machine.handle(.begin, at: at(0))
        _ = machine.handle(.elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: at(1))
        _ = machine.handle(.keeperReady, at: at(5))
        _ = machine.handle(.workloadStarted(pid: 42), at: at(6))
        return machine
    }

    private func told(_ machine: inout JobMachine, _ event: JobMachine.Event, at now: Int64) -> [JobMachine.Action] {
        machine.handle(event, at: at(now)).filter { if case .wake = $0 { false } else { true } }
    }

    @Test func noRestartPolicyDecidesWhatFollowsATick() {
        var machine = running { $0.schedule = ScheduleSettings(.every(seconds: 60)) }
        #expect(told(&machine, .runEnded(.exited(1), jitter: 0), at: 100) == [.settle(.exited(1)), .release(nil)])
        #expect(told(&machine, .released, at: 101) == [.compete])
        #expect(told(&machine, .waiting(.tick(60)), at: 102) == [])
        #expect(machine.describe(at: at(103)).state == .standby)
    }

    @Test func aRunOfATickIsNotLeftToTheNextDefinition() {
        var machine = running { $0.schedule = ScheduleSettings(.every(seconds: 60)) }
        #expect(told(&machine, .replaced, at: 100) == [.stopWorkload])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 200) == [.settle(.stopped), .release(nil)])
        #expect(told(&machine, .released, at: 201) == [.retired])
    }

    @Test func theNextTickReplacesARun() {
        var machine = running { $0.schedule = ScheduleSettings(.every(seconds: 60)) }
        #expect(told(&machine, .preempted, at: 100) == [.stopWorkload])
        // A stop by an operator that comes later changes nothing about why.
        #expect(told(&machine, .markSeen(Mark(kind: .heldDown)), at: 110) == [])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 200) == [.settle(.replaced), .release(nil)])
    }

    /// Given back, its tick would be tried again at once.
    @Test func aRunThatIsStoppedBeforeItBeginsHasItsOutcome() {
        var definition = JobMachineTests.definition
        definition.schedule = ScheduleSettings(.every(seconds: 60))
        var machine = JobMachine(definition: definition, timing: JobMachineTests.timing, node: "n1")
        _ = machine.handle(.begin, at: at(0))
        _ = machine.handle(.elected(runID: "r1", fence: 1, failures: 0, sentAt: at(0)), at: at(5))
        #expect(
            told(&machine, .markSeen(Mark(kind: .runEnded, remaining: .seconds(3))), at: 10) == [
                .abandonKeeper, .settle(.stopped), .release(nil),
            ])
    }

    @Test func aRunThatTakesTooLongIsStopped() {
        var machine = running { $0.run.timeout = .seconds(3) }
        #expect(machine.nextWake == at(3005))
        #expect(told(&machine, .woke, at: 3004) == [])
        #expect(told(&machine, .woke, at: 3005) == [.stopWorkload])
        // The lease goes on while it ends.
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        let mark = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1, by: "n1")
        #expect(told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5001) == [.extend(at(5000 + 14_798))])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 5100) == [.settle(.timedOut), .release(mark)])
    }

    @Test func whatEndedByItselfIsNoTimeout() {
        var machine = running { $0.run.timeout = .seconds(3) }
        #expect(told(&machine, .woke, at: 3005) == [.stopWorkload])
        #expect(told(&machine, .runEnded(.exited(0), jitter: 0), at: 3010).first == .settle(.exited(0)))
    }

    @Test func aJobsOwnCodesSayWhatIsASuccess() {
        var machine = running { $0.run.successCodes = [0, 3] }
        #expect(
            told(&machine, .runEnded(.exited(3), jitter: 0), at: 100).first == .settle(.exit(3, isSuccess: true)))
        machine = running { $0.run.successCodes = [3] }
        #expect(
            told(&machine, .runEnded(.exited(0), jitter: 0), at: 100).first == .settle(.exit(0, isSuccess: false)))
    }
}
