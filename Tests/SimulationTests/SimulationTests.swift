// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

@testable import BatonSimulation
import Foundation
import Testing

/// A simulated fleet under every fault, on the code that ships.
struct SimulationTests {
    /// One a line; what follows the number says what it found.
    private static let seeds: [UInt64] = {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("seeds")
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { line in line.split(separator: " ").first.flatMap { UInt64($0) }
        }
    }()

    @Test(arguments: seeds)
    func aSeedThatEverFailedDoesNotAnyMore(seed: UInt64) {
        let failure = Scenario(seed: seed).run().failure
        #expect(failure == nil)
    }

    @Test func theSameSeedHasTheSameHistory() {
        for seed in [1, 2, 3, 77] as [UInt64] {
            let first = Scenario(seed: seed).run(recording: true)
            let second = Scenario(seed: seed).run(recording: true)
            #expect(first.history == second.history)
            #expect(first.history.count > 100)
            // Nor does it matter whether anybody looks.
            #expect(Scenario(seed: seed).run().figures.occurrences == first.figures.occurrences)
        }
    }

    /// In this build a tenth as fast as what `make simulate` runs.
    @Test func worldsThatNobodyHasSeenYet() {
        var campaign = Campaign()
        campaign.firstSeed = .random(in: 0..<1_000_000_000_000)
        campaign.seconds = 10
        print("the first seed is \(campaign.firstSeed)")
        let clock = ContinuousClock()
        let begun = clock.now
        let failure = campaign.run { Double((clock.now - begun).components.seconds) }
        print(campaign.report)
        #expect(failure == nil, "\(failure?.text(shrinking: true) ?? "")")
    }

    @Test func aFailureIsMadeShort() {
        let scenario = Scenario(seed: 5)
        let kind = scenario.script[scenario.script.count / 2].kind
        var shrinker = Shrinker(scenario) { $0.script.contains { $0.kind == kind } }
        shrinker.shrink()
        #expect(shrinker.scenario.script.map(\.kind) == [kind])
        #expect(shrinker.scenario.nodes.count == 2)
        #expect(shrinker.scenario.jobs.count == 1)
    }
}
