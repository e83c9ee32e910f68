// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonValkey
import Foundation
import Testing

@testable import BatonTestSupport

/// Long random sequences of requests, and of what can happen to a store: the stores and the model answer alike.
///
/// `BATON_DIFFERENTIAL_OPERATIONS` says how many are asked of each store (2000), `BATON_DIFFERENTIAL_SEED` where the
/// seeds begin (1). A sequence that fails is shortened as long as it still fails, and printed with its seed.
@Suite(.timeLimit(.minutes(10)))
struct DifferentialTests {
    @Test(arguments: ArenaKind.real)
    func storesAnswerAsTheModelDoes(kind: ArenaKind) async throws {
        let wanted = Self.number("BATON_DIFFERENTIAL_OPERATIONS") ?? 2000
        let first = UInt64(Self.number("BATON_DIFFERENTIAL_SEED") ?? 1)
        try await kind.with { arena in
            let start = ContinuousClock.now
            var (asked, cut, seed) = (0, 0, first)
            while asked < wanted {
                let (failure, outcome) = try await arena.failure(seed: seed)
                if let failure {
                    Issue.record("\(failure)")
                    return
                }
                asked += outcome.asked
                if outcome.end == .overtaken { cut += 1 }
                seed += 1
            }
            let time = ContinuousClock.now - start
            print("\(arena.name): \(asked) answers as the model's, seeds \(first) to \(seed - 1), in \(time)")
            if cut > 0 { print("\(arena.name): \(cut) sequences were cut short, the machine was busy") }
        }
    }

    @Test(arguments: BrokenRule.all)
    func aBrokenRuleIsFoundAndShownInFewSteps(rule: BrokenRule) async throws {
        let arena = Arena(name: "a broken store", pace: .settable) { sequence in
            let contender = ModelContender(.server) { BrokenStore(inner: $0, rule: rule) }
            return try await StoreTrial.run(sequence, on: contender)
        }
        for seed in 1...200 as ClosedRange<UInt64> {
            guard let failure = try await arena.failure(seed: seed).failure else { continue }
            #expect(failure.steps.count <= 6, "\(failure)")
            return
        }
        Issue.record("not found")
    }

    @Test func aSequenceIsShortenedToWhatFails() async throws {
        let long = Array(0..<100)
        let short = await shrunk(long, limit: 1000, simpler: { [$0 - 1] }) { sequence in
            sequence.contains { $0 > 20 } && sequence.contains { $0 == 7 }
        }
        #expect(short == [7, 21])
    }

    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }
}
