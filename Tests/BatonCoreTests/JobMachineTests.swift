// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Transcripts: event, expected actions, next event. Timers (`.wake`) are left out where they do not matter.
struct JobMachineTests {
    static let definition: JobDefinition = {
        var job = JobDefinition(name: "report", command: .program(["/bin/true"]))
        job.restart = .init(policy: .always, delay: .seconds(1), maxDelay: .seconds(60))
        return job
    }()
    static let timing = LeaseTiming(
        timeout: .seconds(15), killLatency: .milliseconds(50), requestTimeout: .seconds(1))
    /// D of a request sent at 0: 15 s − 150 ms − 50 ms − 2 ms.
    static let deadline = at(14_798)

    static func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
    private func at(_ milliseconds: Int64) -> Instant { Self.at(milliseconds) }

    private func machine(_ restart: JobDefinition.RestartSettings? = nil) -> JobMachine {
        var definition = Self.definition
        if let restart { definition.restart = restart }
        return JobMachine(definition: definition, timing: Self.timing, node: "n1")
    }

    private func told(_ machine: inout JobMachine, _ event: JobMachine.Event, at now: Int64) -> [JobMachine.Action] {
        machine.handle(event, at: at(now)).filter { if case .wake = $0 { false } else { true } }
    }

    private func running(_ restart: JobDefinition.RestartSettings? = nil) -> JobMachine {
        var machine = machine(restart)
        #expect(told(&machine, .begin, at: 0) == [.compete])
        #expect(told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1) == [.launch])
        #expect(told(&machine, .keeperReady, at: 5) == [.go(Self.deadline)])
        #expect(told(&machine, .workloadStarted(pid: 42), at: 6) == [])
        return machine
    }

    @Test func fromTheElectionToTheRelease() {
        var machine = running()
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        #expect(told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5001) == [.extend(at(5000 + 14_798))])
        let mark = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 0, by: "n1")
        #expect(told(&machine, .runEnded(.exited(0), jitter: 0), at: 6000) == [.settle(.exited(0)), .release(mark)])
        #expect(told(&machine, .released, at: 6001) == [.compete])
    }

    @Test func nothingIsReleasedBeforeTheRunIsProvedToBeOver() {
        var machine = running()
        #expect(told(&machine, .drain, at: 100) == [.stopWorkload])
        #expect(told(&machine, .released, at: 150) == [])
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        #expect(told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5001) == [.extend(at(5000 + 14_798))])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 6000) == [.settle(.stopped), .release(nil)])
        #expect(told(&machine, .released, at: 6001) == [.retired])
    }

    @Test func aReleaseWaitsForARenewalThatIsOnItsWay() {
        var machine = running()
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        #expect(told(&machine, .runEnded(.exited(0), jitter: 0), at: 5001) == [.settle(.exited(0))])
        let actions = told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5002)
        #expect(actions == [.release(Mark(kind: .coolingDown, remaining: .seconds(1), failures: 0, by: "n1"))])
    }

    @Test func aRefusedRenewalKillsAtOnce() {
        var machine = running()
        _ = told(&machine, .woke, at: 5000)
        #expect(told(&machine, .lease(.refused), at: 5001) == [.killWorkload])
        #expect(told(&machine, .runEnded(.exited(0), jitter: 0), at: 5010) == [.settle(.leaseLost), .release(nil)])
        #expect(told(&machine, .released, at: 5011) == [.compete])
    }

    @Test func theDaemonKillsAtTheDeadlineOnItsOwn() {
        var machine = running()
        _ = told(&machine, .woke, at: 5000)
        #expect(machine.handle(.lease(.failed(jitter: 0)), at: at(6000)).last == .wake(at: at(6000) + .seconds(1) / 3))
        _ = told(&machine, .woke, at: 6400)
        #expect(told(&machine, .woke, at: 14_798) == [.killWorkload])
        // A yes that comes after D is not used: no extend, no renewal, and the release waits for the proof.
        #expect(told(&machine, .lease(.renewed(sentAt: at(6400))), at: 14_900) == [])
        #expect(told(&machine, .runEnded(.leaseLost, jitter: 0), at: 14_950) == [.settle(.leaseLost), .release(nil)])
    }

    @Test func aGrantThatComesTooLateStartsNothing() {
        var machine = machine()
        _ = told(&machine, .begin, at: 0)
        let late = told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 13_000)
        #expect(late == [.release(nil)])
    }

    @Test func aKeeperThatDoesNotComeUpIsAbandonedWithoutGo() {
        var machine = machine()
        _ = told(&machine, .begin, at: 0)
        _ = told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1)
        for second in 1...5 {
            // Others come up before it, and the lease goes on.
            #expect(told(&machine, .woke, at: Int64(second) * 5000) == [.renew(within: .seconds(1))])
            _ = told(&machine, .lease(.renewed(sentAt: at(Int64(second) * 5000))), at: Int64(second) * 5000 + 1)
        }
        _ = told(&machine, .woke, at: 30_000)
        let actions = told(&machine, .woke, at: 30_001)
        #expect(actions.first == .abandonKeeper)
        // The renewal that is on its way comes first.
        #expect(!actions.contains { if case .release = $0 { true } else { false } })
        let late = told(&machine, .lease(.renewed(sentAt: at(30_000))), at: 30_001)
        #expect(late.contains { if case .release = $0 { true } else { false } })
        // Its hello comes too late: no go.
        #expect(told(&machine, .keeperReady, at: 30_002) == [])
    }

    @Test func failuresAreCountedAndSlowedDown() {
        var machine = machine()
        _ = told(&machine, .begin, at: 0)
        _ = told(&machine, .elected(runID: "r1", fence: 7, failures: 3, sentAt: at(0)), at: 1)
        _ = told(&machine, .keeperReady, at: 5)
        _ = told(&machine, .workloadStarted(pid: 42), at: 6)
        let mark = Mark(kind: .coolingDown, remaining: .seconds(8), failures: 4, by: "n1")
        #expect(told(&machine, .runEnded(.exited(1), jitter: 0), at: 100) == [.settle(.exited(1)), .release(mark)])
        #expect(machine.handle(.released, at: at(101)) == [.wake(at: at(101 + 8250))])
        #expect(told(&machine, .woke, at: 8351) == [.compete])
    }

    @Test(arguments: [
        (JobDefinition.RestartSettings.Policy.never, RunOutcome.exited(1)), (.never, .exited(0)),
        (.onFailure, .exited(0)),
    ])
    func aFinishedJobIsMarkedForTheWholeFleet(policy: JobDefinition.RestartSettings.Policy, outcome: RunOutcome) {
        var machine = running(.init(policy: policy, delay: .seconds(1), maxDelay: .seconds(2)))
        let actions = told(&machine, .runEnded(outcome, jitter: 0), at: 100)
        #expect(actions == [.settle(outcome), .release(Mark(kind: .finished, by: "n1"))])
    }

    @Test func aRunThatIsKilledWhileItStopsWasStopped() {
        var machine = running()
        #expect(told(&machine, .drain, at: 50) == [.stopWorkload])
        #expect(told(&machine, .abort, at: 60) == [.killWorkload])
        #expect(told(&machine, .runEnded(.keeperLost, jitter: 0), at: 70) == [.settle(.stopped), .release(nil)])
    }

    @Test func anOperatorsMarkStopsTheHolder() {
        var machine = running()
        #expect(told(&machine, .markSeen(nil), at: 50) == [])
        #expect(told(&machine, .markSeen(Mark(kind: .heldDown, by: "n2")), at: 60) == [.stopWorkload])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 70) == [.settle(.stopped), .release(nil)])
        #expect(told(&machine, .released, at: 71) == [.compete])
    }

    @Test func aRunOfAnEarlierDaemonIsRenewedAtOnceAndGoesOn() {
        var machine = machine()
        let took = told(
            &machine, .tookOver(runID: "r0", fence: 7, deadline: at(9000), pid: 42), at: 1000)
        #expect(took == [.renew(within: .seconds(1))])
        #expect(told(&machine, .lease(.renewed(sentAt: at(1000))), at: 1001) == [.extend(at(1000 + 14_798))])
    }

    @Test func aRunOfAnEarlierDaemonWhoseLockIsLostIsKilled() {
        var machine = machine()
        _ = told(&machine, .tookOver(runID: "r0", fence: 7, deadline: at(9000), pid: 42), at: 1000)
        #expect(told(&machine, .lease(.refused), at: 1001) == [.killWorkload])
    }

    @Test func drainDuringTheLaunchLetsNothingStart() {
        var machine = machine()
        _ = told(&machine, .begin, at: 0)
        _ = told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1)
        #expect(told(&machine, .drain, at: 2) == [.abandonKeeper, .release(nil)])
        #expect(told(&machine, .keeperReady, at: 3) == [])
        #expect(told(&machine, .released, at: 4) == [.retired])
    }

    @Test func aGrantThatArrivesAfterTheWithdrawalIsGivenBack() {
        var machine = machine()
        _ = told(&machine, .begin, at: 0)
        #expect(told(&machine, .drain, at: 1) == [.withdraw, .retired])
        let actions = told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 2)
        #expect(actions == [.release(nil)])
        #expect(told(&machine, .released, at: 3) == [.retired])
    }

    @Test func aHungKeeperIsNotWaitedForForEver() {
        var machine = running()
        #expect(machine.handle(.drain, at: at(100)) == [.stopWorkload, .wake(at: at(5000))])
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        _ = told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5001)
        // stop.timeout is 30 s; two seconds later this daemon kills on its own.
        var now: Int64 = 5001
        while now < 32_100 {
            #expect(!told(&machine, .woke, at: now).contains(.killWorkload))
            _ = told(&machine, .lease(.renewed(sentAt: at(now))), at: now)
            now += 1000
        }
        #expect(told(&machine, .woke, at: 32_100).contains(.killWorkload))
    }
}
