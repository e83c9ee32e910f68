// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

/// The plan of a fleet under faults.
struct FaultPlanTests {
    private func plan(_ seed: UInt64, _ minutes: Int = 60) -> FaultPlan {
        FaultPlan(
            seed: seed, length: .seconds(minutes * 60), pace: .seconds(5), atLeast: 28, machines: 4,
            kinds: FaultKind.allCases)
    }

    @Test func aSeedRepeatsIt() {
        #expect(plan(7).faults.map(\.description) == plan(7).faults.map(\.description))
        #expect(plan(7).faults.map(\.description) != plan(8).faults.map(\.description))
    }

    @Test func anHourHasFiveHundredAndEveryKindOften() {
        let faults = plan(1).faults
        #expect(faults.count > 600)
        for kind in FaultKind.allCases { #expect(faults.count { $0.kind == kind } >= 10, "\(kind)") }
        #expect((faults.last?.start ?? .zero) < .seconds(3900))
    }

    @Test func aShortOneHasAsManyAsItMust() { #expect(plan(1, 0).faults.count == 28) }

    @Test func onePlaceHasOneFaultAtATime() {
        let faults = plan(3).faults
        for (_, these) in Dictionary(grouping: faults, by: \.place) {
            for (first, second) in zip(these, these.dropFirst()) {
                #expect(first.start + first.length + .milliseconds(first.kind.rest) <= second.start)
            }
        }
    }
}
