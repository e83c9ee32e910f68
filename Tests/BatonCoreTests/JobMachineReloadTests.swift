// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// A definition that changes quietly: the run goes on, and its machine makes room afterwards.
@Suite struct JobMachineReloadTests {
    private static let slower = JobDefinition.RestartSettings(
        policy: .always, delay: .seconds(4), maxDelay: .seconds(60))

    private func at(_ milliseconds: Int64) -> Instant { JobMachineTests.at(milliseconds) }

    private func told(_ machine: inout JobMachine, _ event: JobMachine.Event, at now: Int64) -> [JobMachine.Action] {
        machine.handle(event, at: at(now)).filter { if case .wake = $0 { false } else { true } }
    }

    private func competing() -> JobMachine {
        var machine = JobMachine(definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1")
        #expect(told(&machine, .begin, at: 0) == [.compete])
        return machine
    }

    private func running() -> JobMachine {
        var machine = competing()
        #expect(told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1) == [.launch])
        #expect(told(&machine, .keeperReady, at: 5) == [.go(JobMachineTests.deadline)])
        #expect(told(&machine, .workloadStarted(pid: 42), at: 6) == [])
        return machine
    }

    @Test func aRunGoesOnAndEndsByTheNewRestartPolicy() {
        var machine = running()
        #expect(told(&machine, .superseded(Self.slower), at: 100) == [])
        #expect(machine.describe(at: at(101)).state == .running)
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        #expect(told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5001) == [.extend(at(5000 + 14_798))])
        let mark = Mark(kind: .coolingDown, remaining: .seconds(4), failures: 1, by: "n1")
        #expect(told(&machine, .runEnded(.exited(1), jitter: 0), at: 6000) == [.settle(.exited(1)), .release(mark)])
        #expect(told(&machine, .released, at: 6001) == [.retired])
    }

    @Test func whoIsOnlyWaitingMakesRoomAtOnce() {
        var machine = competing()
        #expect(told(&machine, .superseded(Self.slower), at: 10) == [.withdraw, .retired])
        // A grant that was on its way is given back.
        let late = told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(9)), at: 11)
        #expect(late == [.release(nil)])
        #expect(told(&machine, .released, at: 12) == [.retired])
    }

    @Test func aLaunchGoesOn() {
        var machine = competing()
        #expect(told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1) == [.launch])
        #expect(told(&machine, .superseded(Self.slower), at: 2) == [])
        #expect(told(&machine, .keeperReady, at: 5) == [.go(JobMachineTests.deadline)])
    }

    @Test func aDrainAfterwardsStops() {
        var machine = running()
        _ = told(&machine, .superseded(Self.slower), at: 100)
        #expect(told(&machine, .drain, at: 200) == [.stopWorkload])
        #expect(told(&machine, .runEnded(.exited(1), jitter: 0), at: 300) == [.settle(.exited(1)), .release(nil)])
        #expect(told(&machine, .released, at: 301) == [.retired])
    }

    // MARK: - A restart

    @Test func aRestartLeavesTheLockToTheNextMachine() {
        var machine = running()
        #expect(told(&machine, .replaced, at: 100) == [.stopWorkload])
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        #expect(told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5001) == [.extend(at(5000 + 14_798))])
        let end = told(&machine, .runEnded(.stopped, jitter: 0), at: 6000)
        #expect(end == [.settle(.stopped), .handOver(until: at(5000 + 14_798)), .retired])
    }

    @Test func aLeaseThatIsNearlyOverIsNotLeftToAnybody() {
        var machine = running()
        _ = told(&machine, .replaced, at: 100)
        _ = told(&machine, .woke, at: 5000)
        _ = told(&machine, .lease(.failed(jitter: 0)), at: 6000)
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 7400) == [.settle(.stopped), .release(nil)])
        #expect(told(&machine, .released, at: 7401) == [.retired])
    }

    @Test func aLostLeaseIsNotLeftToAnybody() {
        var machine = running()
        _ = told(&machine, .replaced, at: 100)
        _ = told(&machine, .woke, at: 5000)
        #expect(told(&machine, .lease(.refused), at: 5001) == [.killWorkload])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 5010) == [.settle(.leaseLost), .release(nil)])
        #expect(told(&machine, .released, at: 5011) == [.retired])
    }

    @Test func aDrainDuringARestartReleases() {
        var machine = running()
        _ = told(&machine, .replaced, at: 100)
        #expect(told(&machine, .drain, at: 150) == [])
        #expect(told(&machine, .replaced, at: 160) == [])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 200) == [.settle(.stopped), .release(nil)])
    }

    @Test func whatNeverRanIsReleased() {
        var machine = competing()
        #expect(told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1) == [.launch])
        #expect(told(&machine, .replaced, at: 2) == [.abandonKeeper, .release(nil)])
        #expect(told(&machine, .released, at: 3) == [.retired])
        var waiting = competing()
        #expect(told(&waiting, .replaced, at: 2) == [.withdraw, .retired])
    }

    @Test func aReleaseThatGoesOnIsFollowedByTheEnd() {
        var machine = running()
        _ = told(&machine, .runEnded(.exited(0), jitter: 0), at: 300)
        #expect(told(&machine, .superseded(Self.slower), at: 301) == [])
        #expect(told(&machine, .released, at: 302) == [.retired])
    }
}
