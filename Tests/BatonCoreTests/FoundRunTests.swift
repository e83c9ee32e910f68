// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

/// What a daemon makes of the runs that it finds when it starts.
struct FoundRunTests {
    private static let record = LeaseRecord(token: Bytes("token".utf8), fence: 7, timeout: .seconds(15))
    private let deadline = JobMachineTests.at(9000)

    private func found(_ lease: Bytes? = Self.record.encode(), _ end: RunOutcome? = nil) -> FoundRun {
        FoundRun(job: "report", runID: "r1", lease: lease, end: end)
    }

    private func hello(_ phase: KeeperPhase) -> KeeperReport.Hello {
        KeeperReport.Hello(
            runID: "r1", phase: phase, deadline: phase == .waiting ? nil : deadline, workload: 42, keeper: 40,
            guardian: 41, realtime: true)
    }

    private func inherited(_ keeper: ActiveRun.Keeper, _ event: JobMachine.Event) -> FoundRun.Fate {
        let run = ActiveRun(runID: "r1", record: Self.record, isInherited: true, keeper: keeper)
        return .inherited(InheritedRun(job: "report", run: run, event: event))
    }

    @Test func aRunWhoseKeeperAnswersGoesOn() {
        #expect(found().needsGreeting)
        for phase in KeeperPhase.allCases where phase != .waiting {
            #expect(
                found().fate(hello(phase), jitter: 0)
                    == inherited(.connected, .tookOver(runID: "r1", fence: 7, deadline: deadline, pid: 42)))
        }
    }

    @Test func aRunThatWasNeverToldToGoIsOver() {
        #expect(
            found().fate(hello(.waiting), jitter: 0.5)
                == inherited(.gone, .foundEnded(runID: "r1", fence: 7, .stopped, jitter: 0.5)))
    }

    @Test func aRunThatEndedMeanwhileIsSettled() {
        let found = found(Self.record.encode(), .exited(3))
        #expect(!found.needsGreeting)
        #expect(
            found.fate(nil, jitter: 0.5)
                == inherited(.gone, .foundEnded(runID: "r1", fence: 7, .exited(3), jitter: 0.5)))
    }

    @Test func aRunWithoutAKeeperHasNoLeaseAnyMore() {
        let past = Instant(nanoseconds: 0)
        #expect(
            found().fate(nil, jitter: 0)
                == inherited(.gone, .tookOver(runID: "r1", fence: 7, deadline: past, pid: nil)))
    }

    @Test func withoutALeaseRecordNothingWasToldToGo() {
        for lease in [nil, Bytes(), Bytes("1\n7".utf8)] {
            #expect(!found(lease).needsGreeting)
            #expect(found(lease).fate(nil, jitter: 0) == .forgotten)
        }
    }

    @Test func aRunOfANewerVersionIsLeftAloneUntilItIsOver() {
        let newer = Bytes("2\nwhatever".utf8)
        #expect(!found(newer).needsGreeting)
        #expect(found(newer).fate(nil, jitter: 0) == .leftAlone)
        #expect(found(newer, .exited(0)).fate(nil, jitter: 0) == .discarded)
    }

    @Test func ofTwoRunsOfAJobTheOneThatLivesOrElseTheLaterGoesOn() throws {
        func run(_ keeper: ActiveRun.Keeper, fence: Int64) -> InheritedRun {
            var record = Self.record
            record.fence = fence
            return InheritedRun(
                job: "report", run: ActiveRun(runID: "r\(fence)", record: record, isInherited: true, keeper: keeper),
                event: .woke)
        }
        #expect(run(.connected, fence: 1).precedes(run(.gone, fence: 2)))
        #expect(!run(.gone, fence: 2).precedes(run(.connected, fence: 1)))
        #expect(run(.gone, fence: 2).precedes(run(.gone, fence: 1)))
        #expect(!run(.gone, fence: 1).precedes(run(.gone, fence: 2)))
    }
}
