// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// Transcripts: message, expected effects, next message. What is only for log and status, and timers, are left out.
struct JobLoopTests {
    private static let token = Bytes("token".utf8)
    private static let record = LeaseRecord(token: token, fence: 7, timeout: .seconds(15))
    private static let mark = Mark(kind: .coolingDown, remaining: .seconds(1), failures: 0, by: "n1")

    private var room = RunQuota(limit: 1)

    private func at(_ milliseconds: Int64) -> Instant { JobMachineTests.at(milliseconds) }

    private func loop(legacy: LockLegacy? = nil) -> JobLoop {
        JobLoop(definition: JobMachineTests.definition, timing: JobMachineTests.timing, node: "n1", legacy: legacy)
    }

    private mutating func told(
        _ loop: inout JobLoop, _ message: JobLoop.Message, at now: Int64
    ) -> [JobLoop.Effect] {
        loop.handle(message, room: &room, jitter: 0, at: at(now)).filter {
            switch $0 {
            case .wake, .moved: false
            default: true
            }
        }
    }

    private func grant(_ sentAt: Int64, fence: Int64 = 7) -> LockGrant {
        LockGrant(token: Self.token, sentAt: at(sentAt), fence: fence, failures: 0)
    }

    /// A run with its keeper connected, and the workload started.
    private mutating func running() -> JobLoop {
        var loop = loop()
        #expect(told(&loop, .begun, at: 0) == [.compete(election: 1, nil)])
        #expect(
            told(&loop, .electionOver(1, grant(0), runID: "r1"), at: 1)
                == [.noteFence(7), .launch(runID: "r1", Self.record), .lookAtMark])
        #expect(told(&loop, .launched(runID: "r1"), at: 2) == [.listen(runID: "r1")])
        #expect(told(&loop, .keeper(runID: "r1", .ready), at: 3) == [.tell(.go(deadline: JobMachineTests.deadline))])
        #expect(told(&loop, .keeper(runID: "r1", .started(pid: 42)), at: 4) == [])
        return loop
    }

    /// Another job takes the node's last room.
    private mutating func occupy() {
        let isClaimed = room.claim("another")
        #expect(isClaimed)
    }

    private func ended(_ loop: JobLoop, _ keeper: ActiveRun.Keeper = .ended) -> ActiveRun {
        ActiveRun(runID: "r1", record: loop.run?.record ?? Self.record, keeper: keeper)
    }

    @Test mutating func aJobWithNothingToDoNeedsNoLoop() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        #expect(loop.machine.isLooking)
        // An earlier competition's word does not count.
        #expect(told(&loop, .dormant(0), at: 1) == [] && !loop.isDormant)
        #expect(told(&loop, .dormant(1), at: 1) == [])
        #expect(loop.isDormant && !loop.isDone && !loop.machine.isLooking)
        #expect(loop.machine.describe(at: at(2)).state == .standby)
        // Nothing is asked for, whatever comes late.
        for message: JobLoop.Message in [.rang, .roomChanged, .event(.waiting(.held)), .event(.runRequested)] {
            #expect(told(&loop, message, at: 3) == [] && loop.isDormant)
        }
        #expect(told(&loop, .event(.drain), at: 4) == [])
        #expect(loop.isDone && !loop.isDormant)
    }

    @Test mutating func aStoreThatMayHaveForgottenIsToldByWhoDoesNotCompete() {
        var definition = JobMachineTests.definition
        definition.schedule = ScheduleSettings(.every(seconds: 60))
        func scheduled() -> JobLoop { JobLoop(definition: definition, timing: JobMachineTests.timing, node: "n1") }

        var loop = scheduled()
        _ = told(&loop, .begun, at: 0)
        #expect(told(&loop, .rang, at: 1) == [])
        // The competition may not have heeded that.
        occupy()
        #expect(told(&loop, .roomChanged, at: 2) == [.withdraw, .recollect])
        #expect(told(&loop, .rang, at: 3) == [.recollect])
        #expect(told(&loop, .electionOver(1, nil, runID: ""), at: 4) == [])
        #expect(told(&loop, .rang, at: 5) == [.recollect])
        room.free("another")
        #expect(told(&loop, .roomChanged, at: 6) == [.compete(election: 2, nil)])
        _ = told(&loop, .electionOver(2, grant(6), runID: "r1"), at: 7)
        #expect(told(&loop, .rang, at: 8) == [.lookAtMark, .recollect])

        // A store that refuses may take it in a moment.
        loop = scheduled()
        _ = told(&loop, .begun, at: 0)
        #expect(told(&loop, .event(.electionFailed("no")), at: 1) == [.recollect])

        // What an earlier daemon left is cleared away, and its lease is over: nothing is renewed.
        loop = scheduled()
        let run = ActiveRun(runID: "r0", record: Self.record, isInherited: true, keeper: .gone)
        let event = JobMachine.Event.tookOver(runID: "r0", fence: 7, deadline: at(-1), pid: nil)
        #expect(
            !told(&loop, .inherited(InheritedRun(job: "nightly", run: run, event: event)), at: 0).contains(.recollect))
        #expect(told(&loop, .rang, at: 1) == [.lookAtMark, .recollect])

        // A service has no ticks.
        loop = self.loop()
        _ = told(&loop, .begun, at: 0)
        _ = told(&loop, .electionOver(1, grant(0), runID: "r1"), at: 1)
        #expect(told(&loop, .rang, at: 2) == [.lookAtMark])
    }

    @Test mutating func aLockThatComesAfterAllIsGivenBack() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        _ = told(&loop, .dormant(1), at: 1)
        #expect(told(&loop, .electionOver(7, grant(0), runID: "r1"), at: 2).contains(.release(Self.record, nil)))
        #expect(!loop.isDormant)
    }

    @Test mutating func aJobWithNothingToDoOnAFullNodeWaitsForRoom() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        occupy()
        #expect(told(&loop, .roomChanged, at: 1) == [.withdraw])
        #expect(told(&loop, .dormant(1), at: 2) == [])
        #expect(loop.machine.isCrowded && !loop.isDormant)
        room.free("another")
        #expect(told(&loop, .roomChanged, at: 3) == [.compete(election: 2, nil)])
    }

    @Test mutating func fromTheElectionToTheNext() {
        var loop = running()
        #expect(room.isFull)
        let connected = ActiveRun(runID: "r1", record: Self.record, keeper: .connected)
        #expect(
            told(&loop, .event(.woke), at: 5000)
                == [.renew(connected, until: JobMachineTests.deadline, within: .seconds(1))])
        #expect(
            told(&loop, .renewed(runID: "r1", .renewed(sentAt: at(5000)), nil), at: 5001)
                == [.tell(.extend(deadline: at(5000 + 14_798)))])
        #expect(
            told(&loop, .keeper(runID: "r1", .ended(.exited(0))), at: 6000)
                == [.tell(.ack), .settle(ended(loop), .exited(0)), .release(Self.record, Self.mark)])
        #expect(!room.isFull)
        // It has said its word: nobody has to look.
        #expect(told(&loop, .keeper(runID: "r1", .hungUp), at: 6001) == [])
        #expect(told(&loop, .event(.released), at: 6002) == [.compete(election: 2, nil)])
        #expect(loop.run == nil)
    }

    @Test mutating func aKeeperThatHangsUpIsSeenTo() {
        var loop = running()
        #expect(told(&loop, .keeper(runID: "r1", .hungUp), at: 10) == [.clear(runID: "r1")])
        // Nothing is released before nothing is left, and nobody hears orders any more.
        #expect(told(&loop, .event(.drain), at: 11) == [])
        let effects = told(&loop, .treeGone(runID: "r1", nil), at: 500)
        #expect(effects == [.killKeeper, .settle(ended(loop, .gone), .stopped), .release(Self.record, nil)])
        #expect(told(&loop, .event(.released), at: 501) == [])
        #expect(loop.isDone)
    }

    @Test mutating func atTheLeasesEndItKillsThroughTheKeeperAndWithoutIt() {
        var loop = running()
        _ = told(&loop, .event(.woke), at: 5000)
        #expect(
            told(&loop, .renewed(runID: "r1", .refused, nil), at: 5100) == [.tell(.kill), .clear(runID: "r1")])
        #expect(
            told(&loop, .treeGone(runID: "r1", .leaseLost), at: 5200)
                == [.tell(.ack), .settle(ended(loop, .connected), .leaseLost), .release(Self.record, nil)])
    }

    @Test mutating func aKeeperThatComesUpAfterItWasGivenUpIsLetGo() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        _ = told(&loop, .electionOver(1, grant(0), runID: "r1"), at: 1)
        #expect(told(&loop, .event(.drain), at: 2) == [.release(Self.record, nil)])
        _ = told(&loop, .event(.released), at: 3)
        // It is not done before it knows what became of the keeper.
        #expect(!loop.isDone)
        #expect(told(&loop, .launched(runID: "r1"), at: 4) == [.dismiss(runID: "r1")])
        #expect(loop.isDone)
    }

    @Test mutating func aKeeperThatIsUpAndWasNotToldToGoIsLetGo() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        _ = told(&loop, .electionOver(1, grant(0), runID: "r1"), at: 1)
        _ = told(&loop, .launched(runID: "r1"), at: 2)
        #expect(told(&loop, .event(.drain), at: 3) == [.dismiss(runID: "r1"), .release(Self.record, nil)])
        // What it says all the same, and that it hangs up, is of no interest.
        #expect(told(&loop, .keeper(runID: "r1", .ready), at: 4) == [])
        #expect(told(&loop, .keeper(runID: "r1", .hungUp), at: 5) == [])
    }

    @Test mutating func whatComesForAnEarlierRunIsNotHeard() {
        var loop = running()
        for message in [
            JobLoop.Message.keeper(runID: "r0", .ended(.exited(0))), .keeper(runID: "r0", .hungUp),
            .treeGone(runID: "r0", nil), .keeper(runID: "r0", .ready),
        ] {
            #expect(told(&loop, message, at: 10) == [])
        }
        let other = LeaseRecord(token: Bytes("other".utf8), fence: 6, timeout: .seconds(15))
        _ = told(&loop, .renewed(runID: "r0", .failed(jitter: 0), other), at: 11)
        #expect(loop.run?.record == Self.record)
    }

    @Test mutating func withoutRoomNothingIsBegun() {
        occupy()
        var loop = loop()
        #expect(told(&loop, .begun, at: 0) == [])
        #expect(loop.machine.isCrowded)
        room.free("another")
        #expect(told(&loop, .roomChanged, at: 10) == [.compete(election: 1, nil)])
        // The last room is another's by now.
        occupy()
        #expect(told(&loop, .roomChanged, at: 11) == [.withdraw])
        #expect(
            told(&loop, .electionOver(1, grant(5), runID: "r1"), at: 12)
                == [.noteFence(7), .release(Self.record, nil), .lookAtMark])
        #expect(told(&loop, .event(.released), at: 13) == [])
        #expect(loop.machine.isCrowded)
    }

    @Test mutating func whoIsElectedWhenTheLastRoomWasTakenGivesTheLockBack() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        occupy()
        #expect(
            told(&loop, .electionOver(1, grant(5), runID: "r1"), at: 12)
                == [.noteFence(7), .release(Self.record, nil), .lookAtMark])
    }

    /// An earlier competition's end was taken for the present one's, which then went on beside the next.
    @Test mutating func theEndOfAnEarlierCompetitionIsNotThePresentOnes() {
        var loop = loop()
        _ = told(&loop, .begun, at: 0)
        #expect(told(&loop, .event(.electionFailed("no")), at: 1) == [])
        #expect(told(&loop, .event(.runRequested), at: 2) == [.compete(election: 2, nil)])
        occupy()
        #expect(told(&loop, .roomChanged, at: 3) == [.withdraw])
        #expect(told(&loop, .electionOver(1, nil, runID: "r1"), at: 4) == [])
        #expect(!loop.machine.isCrowded)
        #expect(told(&loop, .electionOver(2, nil, runID: "r2"), at: 5) == [])
        #expect(loop.machine.isCrowded)
    }

    @Test mutating func aGrantBesideARunIsGivenBack() {
        var loop = running()
        let late = LockGrant(token: Bytes("late".utf8), sentAt: at(9), fence: 8, failures: 0)
        let record = LeaseRecord(token: late.token, fence: 8, timeout: .seconds(15))
        #expect(
            told(&loop, .electionOver(0, late, runID: "r2"), at: 10)
                == [
                    .noteFence(8),
                    .giveBack(LockLegacy(record: record, deadline: JobMachineTests.timing.deadline(sentAt: at(9)))),
                ])
        #expect(loop.run?.runID == "r1")
    }

    // MARK: From one loop to the next

    @Test mutating func theLockOfAReplacedJobIsLeftToTheNextLoopTogetherWithItsRoom() throws {
        var loop = running()
        #expect(told(&loop, .event(.replaced), at: 100) == [.tell(.stop)])
        #expect(
            told(&loop, .keeper(runID: "r1", .ended(.stopped)), at: 200)
                == [.tell(.ack), .settle(ended(loop), .stopped)])
        #expect(loop.isDone && room.isFull)
        let legacy = try #require(loop.legacy)
        #expect(legacy == LockLegacy(record: Self.record, deadline: JobMachineTests.deadline))

        var next = self.loop(legacy: legacy)
        #expect(told(&next, .begun, at: 300) == [.compete(election: 1, legacy)])
        #expect(room.isFull)
        #expect(
            told(&next, .electionOver(1, grant(300, fence: 8), runID: "r2"), at: 310)
                == [
                    .noteFence(8),
                    .launch(runID: "r2", LeaseRecord(token: Self.token, fence: 8, timeout: .seconds(15))), .lookAtMark,
                ])
        #expect(room.isFull)
        // The second time there is nothing to take over.
        _ = told(&next, .launchFailed(runID: "r2", "no"), at: 320)
        _ = told(&next, .event(.released), at: 330)
        #expect(told(&next, .event(.runRequested), at: 340) == [.compete(election: 2, nil)])
    }

    @Test mutating func aLockThatCannotBeTakenOverForWantOfRoomIsGivenBack() {
        occupy()
        let legacy = LockLegacy(record: Self.record, deadline: JobMachineTests.deadline)
        var loop = loop(legacy: legacy)
        #expect(told(&loop, .begun, at: 0) == [.giveBack(legacy)])
        room.free("another")
        #expect(told(&loop, .roomChanged, at: 1) == [.compete(election: 1, nil)])
    }

    @Test mutating func aRunOfAnEarlierDaemonIsRenewedAtOnceAndItsTokenReplaced() {
        let run = ActiveRun(runID: "r1", record: Self.record, isInherited: true, keeper: .connected)
        let event = JobMachine.Event.tookOver(runID: "r1", fence: 7, deadline: at(9000), pid: 42)
        var loop = loop()
        #expect(
            told(&loop, .inherited(InheritedRun(job: "report", run: run, event: event)), at: 0)
                == [.listen(runID: "r1"), .renew(run, until: at(9000), within: .seconds(1))])
        // The answer is lost; either token may be the lock's.
        let both = LeaseRecord(token: Self.token, successor: Bytes("new".utf8), fence: 7, timeout: .seconds(15))
        _ = told(&loop, .renewed(runID: "r1", .failed(jitter: 0), both), at: 1000)
        #expect(loop.run?.record == both && loop.run?.isInherited == true)
        let swapped = LeaseRecord(token: Bytes("new".utf8), fence: 7, timeout: .seconds(15))
        _ = told(&loop, .event(.woke), at: 1400)
        #expect(
            told(&loop, .renewed(runID: "r1", .renewed(sentAt: at(1400)), swapped), at: 1410)
                == [.tell(.extend(deadline: at(1400 + 14_798)))])
        #expect(loop.run?.record == swapped && loop.run?.isInherited == false)
    }
}
