// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonCore
import Testing

/// What a store that lost data is told, request by request.
struct RecollectionMachineTests {
    private var machine = RecollectionMachine(maxLockTimeout: .seconds(60))

    private func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    private func jobs(_ count: Int) -> [String] { (1...count).map { "job\($0)" } }

    /// Of which jobs the store is told.
    private func told(_ actions: [RecollectionMachine.Action]) -> [String] {
        actions.compactMap { if case .tell(let job) = $0 { job } else { nil } }
    }

    @Test mutating func aJobIsToldOfUntilTheStoreHasAnswered() {
        #expect(machine.handle(.wanted(["a"]), at: at(0)) == [.tell("a")])
        #expect(machine.handle(.failed("a"), at: at(3)) == [.wake(at: at(4))])
        #expect(machine.handle(.woke, at: at(3)) == [.wake(at: at(4))])
        #expect(machine.handle(.woke, at: at(4)) == [.tell("a")])
        #expect(machine.handle(.told, at: at(5)) == [])
        #expect(machine.handle(.woke, at: at(100)) == [])
    }

    @Test mutating func whatWasOnItsWayMayHaveComeToTheStoreAsItWasBefore() {
        #expect(machine.handle(.wanted(["a"]), at: at(0)) == [.tell("a")])
        #expect(machine.handle(.wanted(["a"]), at: at(1)) == [.tell("a")])
        #expect(machine.handle(.told, at: at(2)) == [] && machine.handle(.told, at: at(2)) == [])
    }

    @Test mutating func onlySomeAreToldOfAtOnce() {
        var left = Set(jobs(20))
        var asked = told(machine.handle(.wanted(jobs(20) + jobs(20)), at: at(0)))
        #expect(asked.count == RecollectionMachine.mostAtOnce)
        while let job = asked.popLast() {
            #expect(left.remove(job) != nil)
            asked += told(machine.handle(.told, at: at(0)))
            #expect(asked.count <= RecollectionMachine.mostAtOnce)
        }
        #expect(left == [])
    }

    @Test mutating func thoseThatAreNeverAnsweredKeepNobodyBack() {
        let silent = Set(jobs(20).suffix(RecollectionMachine.mostAtOnce))
        var asked = told(machine.handle(.wanted(jobs(20)), at: at(0)))
        #expect(Set(asked) == silent)
        var answered: Set<String> = []
        for second in 1...5 {
            var next: [String] = []
            for job in asked {
                let isSilent = silent.contains(job)
                if !isSilent { answered.insert(job) }
                next += told(machine.handle(isSilent ? .failed(job) : .told, at: at(Int64(second))))
            }
            asked = next + told(machine.handle(.woke, at: at(Int64(second) + 1)))
        }
        #expect(answered == Set(jobs(20)).subtracting(silent))
        #expect(Set(asked) == silent)
    }

    @Test mutating func aNewStoreIsToldEverythingOnceInAWhile() {
        #expect(machine.handle(.storeIsNew, at: at(0)) == [.wantAll])
        #expect(told(machine.handle(.wanted(["a", "b"]), at: at(0))) == ["b", "a"])
        #expect(machine.handle(.told, at: at(1)) == [] && machine.handle(.told, at: at(1)) == [])
        // Who competes hears it again; or it forgot once more.
        #expect(machine.handle(.storeIsNew, at: at(2)) == [.wake(at: at(30))])
        #expect(machine.handle(.storeIsNew, at: at(29)) == [.wake(at: at(30))])
        #expect(machine.handle(.woke, at: at(30)) == [.wantAll])
        #expect(machine.handle(.woke, at: at(90)) == [])
        #expect(machine.handle(.storeIsNew, at: at(91)) == [.wantAll])
    }
}
