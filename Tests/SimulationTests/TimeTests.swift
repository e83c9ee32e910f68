// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonSimulation
import BatonCore
import Testing

/// What the simulated world is made of.
struct TimeTests {
    @Test func whatIsDueFirstComesFirstAndTheOldestOfTheSameInstant() {
        var chance = Chance(seed: 1, stream: 1)
        var queue = EventQueue()
        for number in 0..<2000 {
            queue.push(Occurrence(at: Int64(chance.below(50)), kind: .end, slot: Int32(number)))
        }
        var last = (at: Int64(-1), slot: Int32(-1))
        var count = 0
        while let next = queue.pop() {
            #expect((next.at, next.slot) > last)
            last = (next.at, next.slot)
            count += 1
        }
        #expect(count == 2000)
    }

    @Test(arguments: [-200_000, -4500, -1, 0, 1, 4500, 200_000] as [Int64])
    func aClockAndItsInverseAgree(rate: Int64) {
        var clock = NodeClock(base: 7_000_000_001, rate: rate, at: 1_000_000_007)
        var chance = Chance(seed: 2, stream: 1)
        for _ in 0..<500 {
            let due = Instant(nanoseconds: 7_000_000_001 + chance.between(0, 3_600_000_000_000))
            let truth = clock.truth(of: due)
            #expect(clock.local(at: truth) >= due)
            #expect(clock.local(at: truth - 1) < due)
        }
        let before = clock.local(at: 2_000_000_000)
        clock.change(to: 0, at: 2_000_000_000)
        #expect(clock.local(at: 2_000_000_000) == before)
        clock.skip(from: 2_000_000_000, to: 3_000_000_000)
        #expect(clock.local(at: 3_000_000_000) == before)
    }

    @Test func streamsOfOneSeedDiffer() {
        var first = Chance(seed: 1, stream: 1)
        var second = Chance(seed: 1, stream: 2)
        #expect((0..<64).allSatisfy { _ in first.next() != second.next() })
    }
}
