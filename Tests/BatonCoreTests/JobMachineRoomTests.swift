// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// `node.max_runs`: a node without room asks for no lock. Transcripts as in `JobMachineTests`.
@Suite struct JobMachineRoomTests {
    private func at(_ milliseconds: Int64) -> Instant { JobMachineTests.at(milliseconds) }

    private func told(_ machine: inout JobMachine, _ event: JobMachine.Event, at now: Int64) -> [JobMachine.Action] {
        machine.handle(event, at: at(now)).filter { if case .wake = $0 { false } else { true } }
    }

    private func competing() -> JobMachine {
        var machine = JobMachine(definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1")
        #expect(told(&machine, .begin, at: 0) == [.compete])
        #expect(machine.isCompeting && !machine.takesRoom)
        return machine
    }

    private func elected(_ sentAt: Int64) -> JobMachine.Event {
        .elected(runID: "r1", fence: 7, failures: 0, sentAt: at(sentAt))
    }

    @Test func aFullNodeWithdrawsAndCompetesAgainWhenThereIsRoom() {
        var machine = competing()
        #expect(told(&machine, .noRoom(.full(limit: 2)), at: 10) == [.withdraw])
        let description = machine.describe(at: at(10))
        #expect(description.state == .ineligible)
        #expect(description.reason?.contains("node.max_runs allows (2)") == true)
        // Another competition beside the one that is ending might be granted the lock twice.
        #expect(told(&machine, .room, at: 11) == [])
        #expect(!machine.isCrowded)
        #expect(told(&machine, .withdrawn, at: 12) == [])
        #expect(machine.isCrowded)
        #expect(told(&machine, .runRequested, at: 13) == [])
        #expect(told(&machine, .room, at: 14) == [.compete])
        #expect(machine.isCompeting)
    }

    @Test func whoIsElectedWithoutRoomGivesTheLockBackAtOnce() {
        var machine = competing()
        #expect(told(&machine, .noRoom(.full(limit: 1)), at: 10) == [.withdraw])
        #expect(told(&machine, elected(9), at: 11) == [.release(nil)])
        #expect(!machine.takesRoom)
        #expect(told(&machine, .released, at: 12) == [.compete])
        // The shell finds no room to compete in.
        #expect(told(&machine, .noRoom(.full(limit: 1)), at: 13) == [.withdraw])
        #expect(told(&machine, .withdrawn, at: 13) == [])
        #expect(machine.isCrowded)
    }

    @Test func aRunTakesRoomUntilItIsProvedToBeOver() {
        var machine = competing()
        #expect(told(&machine, elected(0), at: 1) == [.launch])
        #expect(machine.takesRoom)
        // The last room was its own.
        for event in [JobMachine.Event.noRoom(.full(limit: 1)), .room, .withdrawn] {
            #expect(told(&machine, event, at: 2) == [])
        }
        #expect(told(&machine, .keeperReady, at: 5) == [.go(JobMachineTests.deadline)])
        #expect(told(&machine, .noRoom(.full(limit: 1)), at: 5) == [])
        #expect(told(&machine, .workloadStarted(pid: 42), at: 6) == [])
        #expect(told(&machine, .noRoom(.full(limit: 1)), at: 6) == [])
        #expect(told(&machine, .markSeen(Mark(kind: .heldDown)), at: 7) == [.stopWorkload])
        #expect(machine.takesRoom)
        #expect(told(&machine, .noRoom(.full(limit: 1)), at: 7) == [])
        #expect(told(&machine, .runEnded(.stopped, jitter: 0), at: 8) == [.settle(.stopped), .release(nil)])
        #expect(!machine.takesRoom)
    }

    @Test func whatIsInTheWayMayChange() {
        var machine = competing()
        #expect(told(&machine, .noRoom(.full(limit: 1)), at: 10) == [.withdraw])
        #expect(told(&machine, .noRoom(.barred(by: "b")), at: 11) == [])
        let reason = "another live batond (instance b) has this node's name"
        #expect(machine.describe(at: Instant(nanoseconds: 0)).reason == reason)
        #expect(told(&machine, .withdrawn, at: 12) == [])
        #expect(machine.isCrowded && machine.describe(at: Instant(nanoseconds: 0)).reason == reason)
        #expect(told(&machine, .noRoom(.barred(by: "c")), at: 13) == [])
        #expect(machine.describe(at: Instant(nanoseconds: 0)).reason?.contains("(instance c)") == true)
        #expect(told(&machine, .room, at: 14) == [.compete])
    }

    @Test func aFullNodeDrainsAsAnyOther() {
        var leaving = competing()
        #expect(told(&leaving, .noRoom(.full(limit: 1)), at: 10) == [.withdraw])
        var crowded = leaving
        #expect(told(&leaving, .drain, at: 11) == [.retired])
        // A grant that was on its way is not kept.
        #expect(told(&leaving, elected(9), at: 12) == [.release(nil)])
        #expect(told(&leaving, .released, at: 13) == [.retired])
        #expect(told(&crowded, .withdrawn, at: 11) == [])
        #expect(told(&crowded, .abort, at: 12) == [.retired])
    }
}
