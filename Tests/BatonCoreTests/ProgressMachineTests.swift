// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Testing

@Suite struct ProgressMachineTests {
    /// The machine, one event after the other. (A class: `#expect` can't call what mutates a value.)
    private final class Transcript {
        var machine = ProgressMachine()

        func pings(_ milliseconds: Int64) -> Bool {
            machine.shouldPing(at: Instant(nanoseconds: milliseconds * 1_000_000))
        }

        func watch(_ loop: String, _ allowed: Int64, at milliseconds: Int64) {
            machine.watch(
                loop, allowedSilence: .milliseconds(allowed), at: Instant(nanoseconds: milliseconds * 1_000_000))
        }

        func progressed(_ loop: String, at milliseconds: Int64) {
            machine.progressed(loop, at: Instant(nanoseconds: milliseconds * 1_000_000))
        }

        func forget(_ loop: String) { machine.forget(loop) }

        func stalled(_ milliseconds: Int64) -> [String] {
            machine.stalledLoops(at: Instant(nanoseconds: milliseconds * 1_000_000))
        }
    }

    @Test func withoutLoopsThereIsNoPing() {
        let machine = Transcript()
        #expect(!machine.pings(0))
        machine.progressed("nobody", at: 1)
        #expect(!machine.pings(1))
    }

    @Test func aPingNeedsProgressSinceTheLastOne() {
        let machine = Transcript()
        machine.watch("lease", 100, at: 0)
        #expect(machine.pings(10))
        #expect(!machine.pings(20), "a timer alone is no progress")
        machine.progressed("lease", at: 25)
        #expect(machine.pings(30))
    }

    @Test func oneSilentLoopStopsThePings() {
        let machine = Transcript()
        machine.watch("lease", 100, at: 0)
        machine.watch("jobs", 500, at: 0)
        machine.progressed("jobs", at: 100)
        #expect(machine.pings(100), "silent for exactly as long as allowed")
        machine.progressed("jobs", at: 101)
        #expect(machine.stalled(101) == ["lease"])
        #expect(!machine.pings(101))
        machine.progressed("lease", at: 150)
        #expect(machine.pings(150), "it was only slow")
    }

    @Test func aRefusedPingKeepsTheProgress() {
        let machine = Transcript()
        machine.watch("a", 10, at: 0)
        machine.watch("b", 1000, at: 0)
        machine.progressed("b", at: 20)
        #expect(!machine.pings(20))
        machine.forget("a")
        #expect(machine.pings(21))
    }

    @Test func aLoopThatEndedIsNotMissed() {
        let machine = Transcript()
        machine.watch("a", 10, at: 0)
        machine.forget("a")
        machine.progressed("a", at: 5)
        #expect(machine.stalled(100).isEmpty)
        #expect(!machine.pings(100), "nobody is left to speak for")
    }

    @Test func anOldReportDoesNotSetALoopBack() {
        let machine = Transcript()
        machine.watch("a", 10, at: 100)
        machine.progressed("a", at: 50)
        #expect(machine.stalled(105).isEmpty)
    }

    /// After each step of a random walk: a ping only if every loop spoke within its time, and somebody since the last.
    @Test(arguments: 0..<50)
    func aPingIsAlwaysEarned(_ seed: Int) {
        var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 &+ 1
        func draw(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        let machine = Transcript()
        var spoken: [String: (allowed: Int64, last: Int64)] = [:]
        var isNew = false
        var now: Int64 = 0
        for _ in 0..<400 {
            now += Int64(draw(40))
            let name = ["a", "b", "c"][Int(draw(3))]
            switch draw(6) {
            case 0:
                let allowed = Int64(draw(200))
                machine.watch(name, allowed, at: now)
                spoken[name] = (allowed, now)
                isNew = true
            case 1:
                machine.forget(name)
                spoken[name] = nil
            case 2, 3:
                machine.progressed(name, at: now)
                if spoken[name] != nil {
                    spoken[name]?.last = now
                    isNew = true
                }
            default:
                let earned = isNew && !spoken.isEmpty && spoken.values.allSatisfy { now - $0.last <= $0.allowed }
                #expect(machine.pings(now) == earned)
                if earned { isNew = false }
            }
        }
    }
}
