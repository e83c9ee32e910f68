// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

/// A keeper whose workload (pid 7) runs until 900 s and must speak every second, told by a daemon that is connected.
private func watched(interval: Duration? = .seconds(1)) -> KeeperMachine {
    var machine = KeeperMachine(
        lostGrace: .milliseconds(200), stopSignal: 10, stopTimeout: .milliseconds(500),
        watch: WorkloadWatch(interval: interval))
    _ = machine.handle(.connected, at: at(0))
    _ = machine.handle(.goReceived(deadline: at(900_000)), at: at(0))
    _ = machine.handle(.workloadStarted(pid: 7), at: at(0))
    return machine
}

extension KeeperMachine {
    fileprivate mutating func says(_ text: String, at now: Instant) -> [Action] {
        handle(.notified(WorkloadNotice(decoding: text.utf8)), at: now)
    }
}

/// What a workload says with `sd_notify`, and what happens when it does not.
@Suite struct WorkloadWatchTests {
    @Test(arguments: [
        ("READY=1", WorkloadNotice(isReady: true)),
        ("READY=0", WorkloadNotice()),
        ("READY=1\nSTATUS=line 3 of 4\n", WorkloadNotice(isReady: true, status: "line 3 of 4")),
        ("STATUS=a=b", WorkloadNotice(status: "a=b")),
        ("STATUS=", WorkloadNotice(status: "")),
        ("STATUS=one\nSTATUS=two", WorkloadNotice(status: "two")),
        ("WATCHDOG=1", WorkloadNotice(health: .alive)),
        ("WATCHDOG=trigger", WorkloadNotice(health: .hung)),
        ("WATCHDOG=2", WorkloadNotice()),
        ("EXTEND_TIMEOUT_USEC=5000000", WorkloadNotice(extends: .seconds(5))),
        ("EXTEND_TIMEOUT_USEC=-5", WorkloadNotice()),
        ("EXTEND_TIMEOUT_USEC=9223372036854775807", WorkloadNotice(extends: .seconds(86400))),
        ("EXTEND_TIMEOUT_USEC=9999999999999999999", WorkloadNotice()),
        ("STOPPING=1\nMAINPID=1\nFDSTORE=1\nBARRIER=1", WorkloadNotice()),
        ("", WorkloadNotice()), ("READY", WorkloadNotice()), ("\n\n=\n=1\n", WorkloadNotice()),
    ]) func aDatagram(text: String, notice: WorkloadNotice) {
        #expect(WorkloadNotice(decoding: text.utf8) == notice)
    }

    @Test func aStatusIsCutAndMayBeAnyBytes() {
        let long = WorkloadNotice(decoding: "STATUS=".utf8 + Bytes(repeating: 120, count: 3000))
        #expect(long.status?.utf8.count == WorkloadNotice.longestStatus)
        #expect(WorkloadNotice(decoding: Bytes("STATUS=".utf8) + [0xFF, 0x1B]).status == "\u{FFFD}\u{1B}")
    }

    @Test func theDaemonIsToldWhatIsNew() {
        var machine = watched(interval: nil)
        #expect(machine.says("STATUS=loading", at: at(10)) == [.report(.notified(isReady: false, status: "loading"))])
        #expect(machine.says("STATUS=loading", at: at(20)) == [], "it knows that")
        // One that talks all the time is told of five times a second.
        #expect(machine.says("STATUS=1 %", at: at(30)) == [.wake(at: at(210))])
        #expect(machine.says("READY=1\nSTATUS=2 %", at: at(40)) == [])
        #expect(
            machine.handle(.woke, at: at(210)) == [
                .report(.notified(isReady: true, status: "2 %")), .wake(at: at(899_800)),
            ])
    }

    @Test func aDaemonThatComesLaterIsToldWhatWasSaid() {
        var machine = watched(interval: nil)
        _ = machine.handle(.connectionLost, at: at(5))
        #expect(machine.says("READY=1\nSTATUS=up", at: at(10)) == [])
        #expect(machine.says("STATUS=still up", at: at(20)) == [])
        #expect(
            machine.handle(.connected, at: at(900)) == [
                .greet(phase: .running, deadline: at(900_000), workload: 7),
                .report(.notified(isReady: true, status: "still up")),
            ])
        #expect(watched().handleConnected() == [.greet(phase: .running, deadline: at(900_000), workload: 7)])
    }

    @Test func oneThatSpeaksInTimeIsLeftAlone() {
        var machine = watched()
        _ = machine.says("READY=1", at: at(100))
        #expect(machine.says("WATCHDOG=1", at: at(1000)) == [.wake(at: at(2000))])
        #expect(machine.says("WATCHDOG=1", at: at(1900)) == [.wake(at: at(2900))])
        #expect(machine.phase == .running)
    }

    @Test func oneThatFallsSilentIsEnded() {
        var machine = watched()
        _ = machine.says("READY=1", at: at(100))
        #expect(machine.handle(.woke, at: at(1099)) == [])
        #expect(machine.handle(.woke, at: at(1100)) == [.signalWorkload(6), .wake(at: at(1600))])
        #expect(machine.phase == .stopping)
        #expect(machine.says("WATCHDOG=1", at: at(1200)) == [], "too late")
        #expect(machine.handle(.woke, at: at(1600)).first == .killTree)
        _ = machine.handle(.mainExited(.signal(9)), at: at(1601))
        let end = RunEnd(reason: .hung, exit: .signal(9), at: at(1602), termSent: true)
        #expect(machine.handle(.treeEmpty, at: at(1602)) == [.writeStatus(end), .report(.ended(end))])
    }

    @Test func oneThatSaysThatItHangsIsEndedAtOnce() {
        var machine = watched()
        _ = machine.says("READY=1", at: at(100))
        #expect(machine.says("WATCHDOG=trigger", at: at(500)) == [.signalWorkload(6), .wake(at: at(1000))])
    }

    /// As with systemd: the watchdog begins with READY=1, and a start has 90 s.
    @Test func aStartHasItsTime() {
        var machine = watched()
        #expect(machine.handle(.woke, at: at(89_999)) == [])
        #expect(machine.handle(.woke, at: at(90_000)).first == .signalWorkload(6))
        machine = watched()
        #expect(machine.says("EXTEND_TIMEOUT_USEC=30000000", at: at(80_000)) == [.wake(at: at(110_000))])
        #expect(machine.handle(.woke, at: at(109_999)) == [])
        #expect(machine.says("READY=1", at: at(109_999)).last == .wake(at: at(110_999)))
        var slow = watched(interval: .seconds(200))
        #expect(slow.handle(.woke, at: at(199_999)) == [])
        #expect(slow.handle(.woke, at: at(200_000)).first == .signalWorkload(6))
    }

    @Test func aKeeperThatIsLateReadsFirst() {
        var machine = watched()
        _ = machine.says("READY=1", at: at(100))
        #expect(!machine.says("WATCHDOG=1", at: at(5000)).contains(.signalWorkload(6)))
        #expect(machine.phase == .running)
    }

    /// The lease goes before everything else.
    @Test func theEndOfTheLeaseIsNotPutOff() {
        var machine = watched()
        _ = machine.says("READY=1", at: at(899_000))
        #expect(machine.handle(.woke, at: at(899_800)) == [.signalWorkload(15), .wake(at: at(900_000))])
        #expect(machine.says("WATCHDOG=1", at: at(900_000)).first == .killTree)
    }
}

extension KeeperMachine {
    fileprivate func handleConnected() -> [Action] {
        var machine = self
        _ = machine.handle(.connectionLost, at: at(5))
        return machine.handle(.connected, at: at(6))
    }
}
