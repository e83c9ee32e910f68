// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

private typealias Machine = KeeperMachine

/// Milliseconds of a clock that starts at zero.
private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

/// lost_grace 200 ms, stop signal 10, stop timeout 500 ms.
private func keeper(_ watch: WorkloadWatch? = nil) -> Machine {
    Machine(lostGrace: .milliseconds(200), stopSignal: 10, stopTimeout: .milliseconds(500), watch: watch)
}

/// A keeper whose workload (pid 7) runs until 1000, told by a daemon that is connected.
private func runningKeeper() -> Machine {
    var machine = keeper()
    _ = machine.handle(.connected, at: at(0))
    _ = machine.handle(.goReceived(deadline: at(1000)), at: at(0))
    _ = machine.handle(.workloadStarted(pid: 7), at: at(1))
    return machine
}

@Suite struct KeeperMachineTests {
    @Test func runThatEndsByItself() {
        var machine = keeper()
        #expect(machine.handle(.connected, at: at(0)) == [.greet(phase: .waiting, deadline: nil, workload: nil)])
        #expect(machine.handle(.goReceived(deadline: at(1000)), at: at(1)) == [.startWorkload, .wake(at: at(800))])
        #expect(machine.handle(.workloadStarted(pid: 7), at: at(2)) == [.report(.started(pid: 7, at: at(2)))])
        #expect(machine.handle(.mainExited(.code(3)), at: at(100)) == [.killTree, .wake(at: at(105))])
        let end = RunEnd(reason: .exited, exit: .code(3), at: at(101))
        #expect(machine.handle(.treeEmpty, at: at(101)) == [.writeStatus(end), .report(.ended(end))])
        #expect(machine.handle(.acknowledged, at: at(110)) == [.exit])
    }

    @Test func leaseThatRunsOut() {
        var machine = runningKeeper()
        #expect(machine.handle(.woke, at: at(800)) == [.signalWorkload(15), .wake(at: at(1000))])
        #expect(machine.phase == .leaseEnding)
        #expect(machine.handle(.woke, at: at(1000)) == [.killTree, .wake(at: at(1005))])
        #expect(machine.handle(.woke, at: at(1005)) == [.killTree, .wake(at: at(1015))])
        #expect(machine.handle(.mainExited(.signal(9)), at: at(1006)) == [])
        let end = RunEnd(reason: .leaseLost, exit: .signal(9), at: at(1007), termSent: true)
        #expect(machine.handle(.treeEmpty, at: at(1007)) == [.writeStatus(end), .report(.ended(end))])
    }

    @Test(arguments: [KeeperMachine.Event.woke, .extended(deadline: at(9000)), .stopRequested])
    func keeperThatWakesAfterTheDeadlineKillsAtOnce(event: KeeperMachine.Event) {
        var machine = runningKeeper()
        #expect(machine.handle(event, at: at(1500)) == [.killTree, .wake(at: at(1505))])
        #expect(machine.deadline == at(1000))
    }

    @Test func daemonThatComesWhileTheRestIsKilledHearsOfNoPid() {
        var machine = runningKeeper()
        _ = machine.handle(.mainExited(.code(0)), at: at(100))
        #expect(
            machine.handle(.connected, at: at(101)) == [.greet(phase: .clearing, deadline: at(1000), workload: nil)])
    }

    @Test func extendedLeaseMovesBothMoments() {
        var machine = runningKeeper()
        #expect(machine.handle(.extended(deadline: at(2000)), at: at(500)) == [.wake(at: at(1800))])
        #expect(machine.handle(.extended(deadline: at(1500)), at: at(510)) == [], "the latest deadline stands")
        #expect(machine.handle(.woke, at: at(800)) == [])
        #expect(machine.deadline == at(2000))
    }

    @Test func termOfALostLeaseIsFinal() {
        var machine = runningKeeper()
        #expect(machine.handle(.woke, at: at(800)) == [.signalWorkload(15), .wake(at: at(1000))])
        #expect(machine.handle(.extended(deadline: at(5000)), at: at(900)) == [.wake(at: at(1300))])
        // No later than an ordinary stop would have killed.
        #expect(machine.handle(.woke, at: at(1300)) == [.killTree, .wake(at: at(1305))])
    }

    @Test(arguments: [1000, 1001, 9999]) func extensionAtOrAfterTheDeadlineComesTooLate(moment: Int64) {
        var machine = runningKeeper()
        _ = machine.handle(.woke, at: at(800))
        #expect(machine.handle(.extended(deadline: at(20000)), at: at(moment)).first == .killTree)
        #expect(machine.deadline == at(1000))
        #expect(machine.phase == .clearing)
    }

    @Test(arguments: [800, 1000, 5000]) func goThatComesTooLateStartsNothing(moment: Int64) {
        var machine = keeper()
        _ = machine.handle(.connected, at: at(0))
        let end = RunEnd(reason: .leaseLost, at: at(moment))
        #expect(
            machine.handle(.goReceived(deadline: at(1000)), at: at(moment)) == [
                .writeStatus(end), .report(.ended(end)),
            ])
        #expect(machine.handle(.goReceived(deadline: at(90000)), at: at(moment)) == [])
    }

    @Test func ordinaryStopUnderALeaseThatGoesOn() {
        var machine = runningKeeper()
        #expect(machine.handle(.stopRequested, at: at(100)) == [.signalWorkload(10), .wake(at: at(600))])
        #expect(machine.handle(.extended(deadline: at(2000)), at: at(300)) == [])
        #expect(machine.handle(.woke, at: at(600)) == [.killTree, .wake(at: at(605))])
        _ = machine.handle(.mainExited(.signal(9)), at: at(601))
        let end = RunEnd(reason: .stopped, exit: .signal(9), at: at(602), termSent: true)
        #expect(machine.handle(.treeEmpty, at: at(602)) == [.writeStatus(end), .report(.ended(end))])
    }

    @Test func ordinaryStopDuringWhichTheLeaseRunsOut() {
        var machine = runningKeeper()
        #expect(machine.handle(.stopRequested, at: at(700)) == [.signalWorkload(10)])
        #expect(machine.handle(.woke, at: at(800)) == [.signalWorkload(15), .wake(at: at(1000))])
        #expect(machine.handle(.stopRequested, at: at(900)) == [], "one stop is enough")
        #expect(machine.handle(.woke, at: at(1000)) == [.killTree, .wake(at: at(1005))])
    }

    /// Between fork and exec a workload still ignores the signals that its keeper ignores: one sent then would be lost.
    @Test func stopDuringTheStartReachesTheProgram() {
        var machine = keeper()
        _ = machine.handle(.connected, at: at(0))
        _ = machine.handle(.goReceived(deadline: at(1000)), at: at(1))
        #expect(!machine.handle(.stopRequested, at: at(2)).contains(.signalWorkload(10)))
        #expect(machine.handle(.workloadStarted(pid: 42), at: at(3)).contains(.signalWorkload(10)))
    }

    @Test func lostConnectionBeforeGoIsTheEnd() {
        var machine = keeper()
        _ = machine.handle(.connected, at: at(0))
        #expect(machine.handle(.connectionLost, at: at(1)) == [.exit])
        #expect(machine.handle(.goReceived(deadline: at(1000)), at: at(2)) == [])
    }

    @Test func lostConnectionAfterGoIsNothing() {
        var machine = runningKeeper()
        #expect(machine.handle(.connectionLost, at: at(100)) == [])
        #expect(
            machine.handle(.connected, at: at(200)) == [.greet(phase: .running, deadline: at(1000), workload: 7)])
        #expect(machine.handle(.connectionLost, at: at(300)) == [])
        _ = machine.handle(.mainExited(.code(0)), at: at(400))
        let end = RunEnd(reason: .exited, exit: .code(0), at: at(401))
        #expect(machine.handle(.treeEmpty, at: at(401)) == [.writeStatus(end), .exit], "nobody is there to be told")
    }

    @Test func daemonThatComesAfterTheEndIsToldOfIt() {
        var machine = runningKeeper()
        _ = machine.handle(.mainExited(.code(0)), at: at(400))
        let end = RunEnd(reason: .exited, exit: .code(0), at: at(401))
        _ = machine.handle(.treeEmpty, at: at(401))
        #expect(
            machine.handle(.connected, at: at(500)) == [
                .greet(phase: .ended, deadline: nil, workload: nil), .report(.ended(end)),
            ])
        #expect(machine.handle(.connectionLost, at: at(501)) == [.exit])
    }

    @Test func startThatFails() {
        var machine = keeper()
        _ = machine.handle(.connected, at: at(0))
        _ = machine.handle(.goReceived(deadline: at(1000)), at: at(0))
        #expect(
            machine.handle(.startFailed(step: .exec, errno: 2), at: at(1)) == [
                .report(.startFailed(step: .exec, errno: 2)), .killTree, .wake(at: at(6)),
            ])
        #expect(machine.handle(.mainExited(.code(127)), at: at(2)) == [])
        let end = RunEnd(reason: .startFailed(step: .exec, errno: 2), at: at(3))
        #expect(machine.handle(.treeEmpty, at: at(3)) == [.writeStatus(end), .report(.ended(end))])
    }

    @Test func guardThatDiesEndsTheRun() {
        var machine = runningKeeper()
        #expect(machine.handle(.guardDied, at: at(100)) == [.killTree, .wake(at: at(105))])
        _ = machine.handle(.mainExited(.signal(9)), at: at(101))
        let end = RunEnd(reason: .guardLost, exit: .signal(9), at: at(102))
        #expect(machine.handle(.treeEmpty, at: at(102)) == [.writeStatus(end), .report(.ended(end))])
    }

    @Test func killIsRepeatedEverSlowerUntilNothingIsLeft() {
        var machine = runningKeeper()
        var now = at(10)
        var pauses: [Int64] = []
        var actions = machine.handle(.killRequested, at: now)
        for _ in 0..<10 {
            guard case .wake(let next) = actions.last else { return #expect(Bool(false), "\(actions)") }
            pauses.append((next - now).milliseconds)
            now = next
            actions = machine.handle(.woke, at: now)
            #expect(actions.first == .killTree)
        }
        #expect(pauses == [5, 10, 20, 40, 80, 160, 320, 500, 500, 500])
    }
}

/// Random events at random times, with what must hold after each.
@Suite struct KeeperMachineWalkTests {
    @Test(arguments: 0..<40) func invariantsHold(seed: UInt64) {
        var random = SplitMix(state: seed)
        for _ in 0..<250 { walk(length: 40, &random) }
    }

    /// Every shorter walk of a seed is a walk too: the checks are made after each step, so each cut is covered.
    private func walk(length: Int, _ random: inout SplitMix) {
        var world = World()
        for _ in 0..<length {
            world.step(&random)
            if world.isOver { return }
        }
        world.finish()
    }
}

/// A keeper's surroundings: what has been asked of them, and what can therefore happen.
private struct World {
    private var machine = keeper(WorkloadWatch(interval: .milliseconds(150)))
    private var now = at(0)
    private var wake: Instant?
    private var wentGo = false
    private var started = 0
    private var killed = false
    private var mainReaped = false
    private var end: RunEnd?
    private var exited = false
    private var connected = false
    private var deadline: Instant?

    init() {
        take(.connected)
        connected = true
    }

    var isOver: Bool { exited }

    mutating func step(_ random: inout SplitMix) {
        // The shell is on time, or late by a little; it never forgets.
        let pause = Int64.random(in: 0...120, using: &random)
        let next = now + .milliseconds(pause)
        if let wake, wake <= next {
            now = max(now, wake) + .milliseconds(Int64.random(in: 0...3, using: &random))
            self.wake = nil
            return take(.woke)
        }
        now = next
        let alive = started == 1 && !mainReaped
        let candidates: [Machine.Event] =
            [
                .goReceived(deadline: now + .milliseconds(Int64.random(in: -100...900, using: &random))),
                .extended(deadline: now + .milliseconds(Int64.random(in: -100...900, using: &random))),
                .extended(deadline: now + .milliseconds(Int64.random(in: 0...900, using: &random))),
                .connected, .woke,
            ] + (connected ? [.connectionLost] : [])
            + (Int.random(in: 0..<6, using: &random) == 0 ? [.stopRequested, .killRequested, .guardDied] : [])
            + (alive ? [.workloadStarted(pid: 7)] : []) + notices(alive)
            + (alive && Int.random(in: 0..<4, using: &random) == 0 ? [.startFailed(step: .exec, errno: 2)] : [])
            + (alive && (killed || Int.random(in: 0..<8, using: &random) == 0) ? [.mainExited(.code(1))] : [])
            + (mainReaped && killed && end == nil ? [.treeEmpty] : [])
            + (end != nil ? [.acknowledged] : [])
        guard let event = candidates.randomElement(using: &random) else { return }
        take(event)
    }

    /// What it says, also when nothing is left of it: a datagram may be read late.
    private func notices(_ isAlive: Bool) -> [Machine.Event] {
        guard started == 1 else { return [] }
        return [
            .notified(WorkloadNotice(isReady: true)), .notified(WorkloadNotice(health: .alive)),
            .notified(WorkloadNotice(status: "\(now.nanoseconds / 1_000_000 % 3)")),
        ] + (isAlive && now.nanoseconds / 1_000_000 % 7 == 0 ? [.notified(WorkloadNotice(health: .hung))] : [])
    }

    /// Left alone, every run ends: time goes on, the killed die.
    mutating func finish() {
        for _ in 0..<40 where end == nil && wentGo {
            if let wake {
                now = max(now, wake)
                self.wake = nil
                take(.woke)
            }
            if killed && !mainReaped { take(.mainExited(.signal(9))) }
            if killed && mainReaped && end == nil { take(.treeEmpty) }
        }
        #expect(!wentGo || end != nil, "the run goes on for ever")
    }

    private mutating func take(_ event: Machine.Event) {
        let before = machine.deadline
        if case .connected = event { connected = true }
        if case .connectionLost = event { connected = false }
        if case .mainExited = event { mainReaped = true }
        let actions = machine.handle(event, at: now)
        if case .goReceived(let until) = event, started == 0, until > now, end == nil { deadline = until }
        for action in actions { check(action, event) }
        if let before, let after = machine.deadline { #expect(after >= before, "a deadline moved back") }
        if let current = machine.deadline {
            if now >= current { #expect(killed, "something runs past its deadline") }
            if !killed {
                #expect((wake ?? .init(nanoseconds: .max)) <= current, "nobody will wake the keeper by the deadline")
            }
        }
        if machine.phase == .ended { #expect(end != nil || exited || !wentGo) }
    }

    private mutating func check(_ action: Machine.Action, _ event: Machine.Event) {
        #expect(!exited, "something is done after the exit")
        switch action {
        case .startWorkload:
            started += 1
            wentGo = true
            #expect(started == 1 && end == nil, "a second start")
            guard case .goReceived = event else { return #expect(Bool(false), "a start without a go") }
        case .signalWorkload: #expect(started == 1 && !killed && end == nil)
        case .killTree:
            #expect(started == 1 && end == nil)
            killed = true
        case .writeStatus(let written):
            #expect(end == nil, "a second end")
            #expect(started == 0 || mainReaped, "an end that is told too early")
            end = written
        case .report(.ended(let told)): #expect(told == end, "the end has changed, or was not written first")
        case .report(.started): #expect(started == 1 && end == nil && !killed)
        case .exit:
            #expect(started == 0 || end != nil, "it leaves the workload alone")
            exited = true
        case .wake(let at): wake = at
        case .report, .greet: break
        }
    }
}
