// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Another daemon takes this one's place: it finds every run as it is, and nothing else.
@Suite struct JobMachineReliefTests {
    private func at(_ milliseconds: Int64) -> Instant { JobMachineTests.at(milliseconds) }

    private func told(_ machine: inout JobMachine, _ event: JobMachine.Event, at now: Int64) -> [JobMachine.Action] {
        machine.handle(event, at: at(now)).filter { if case .wake = $0 { false } else { true } }
    }

    private func competing() -> JobMachine {
        var machine = JobMachine(definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1")
        #expect(told(&machine, .begin, at: 0) == [.compete])
        return machine
    }

    private func launching() -> JobMachine {
        var machine = competing()
        #expect(told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(0)), at: 1) == [.launch])
        return machine
    }

    private func running() -> JobMachine {
        var machine = launching()
        #expect(told(&machine, .keeperReady, at: 5) == [.go(JobMachineTests.deadline)])
        #expect(told(&machine, .workloadStarted(pid: 42), at: 6) == [])
        return machine
    }

    @Test func aRunIsLeftAsItIs() {
        var machine = running()
        #expect(told(&machine, .relieved, at: 100) == [.retired])
        #expect(machine.isRetired)
        #expect(told(&machine, .woke, at: 5000) == [])
    }

    @Test func soIsOneWhoseRenewalIsOnItsWay() {
        var machine = running()
        #expect(told(&machine, .woke, at: 5000) == [.renew(within: .seconds(1))])
        #expect(told(&machine, .relieved, at: 5001) == [.retired])
        #expect(told(&machine, .lease(.renewed(sentAt: at(5000))), at: 5002) == [])
    }

    @Test func oneThatIsBeingStoppedIsLeftToTheNextAsWell() {
        var machine = running()
        #expect(told(&machine, .markSeen(Mark(kind: .heldDown)), at: 100) == [.stopWorkload])
        #expect(told(&machine, .relieved, at: 101) == [.retired])
    }

    @Test func whoIsOnlyWaitingGivesUp() {
        var machine = competing()
        #expect(told(&machine, .relieved, at: 10) == [.withdraw, .retired])
        // A grant that was on its way is given back: the next daemon would not know its token.
        let late = told(&machine, .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(9)), at: 11)
        #expect(late == [.release(nil)])
        #expect(told(&machine, .released, at: 12) == [.retired])
    }

    @Test func aLaunchThatNobodyWasToldToGoIsTakenBack() {
        var machine = launching()
        #expect(told(&machine, .relieved, at: 2) == [.abandonKeeper, .release(nil)])
        #expect(told(&machine, .keeperReady, at: 3) == [])
        #expect(told(&machine, .released, at: 4) == [.retired])
    }

    @Test func anEndThatWasSeenIsToldToTheStoreFirst() {
        var machine = running()
        let mark = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 1, by: "n1")
        #expect(told(&machine, .runEnded(.exited(1), jitter: 0), at: 100) == [.settle(.exited(1)), .release(mark)])
        #expect(told(&machine, .relieved, at: 101) == [])
        #expect(told(&machine, .released, at: 102) == [.retired])
    }
}
