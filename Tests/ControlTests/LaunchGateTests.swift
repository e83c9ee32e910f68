// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonTestSupport
import Synchronization
import Testing

@testable import BatonDaemon

/// So many launches at a time, in their order, and none that is not wanted any more.
@Suite(.timeLimit(.minutes(1))) struct LaunchGateTests {
    private final class Crowd: Sendable {
        let inside = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let passed = Atomic<Int>(0)

        func pass() async {
            let now = inside.add(1, ordering: .relaxed).newValue
            most.max(now, ordering: .relaxed)
            for _ in 0..<5 { await Task.yield() }
            inside.subtract(1, ordering: .relaxed)
            passed.add(1, ordering: .relaxed)
        }
    }

    @Test func neverMoreThanItsWidth() async throws {
        let (gate, crowd) = (LaunchGate(width: 3), Crowd())
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<500 { group.addTask { try await gate.pass { await crowd.pass() } } }
            try await group.waitForAll()
        }
        #expect(crowd.passed.load(ordering: .relaxed) == 500)
        #expect((2...3).contains(crowd.most.load(ordering: .relaxed)))
    }

    @Test func whoIsCancelledTakesNobodysTurn() async throws {
        let (gate, crowd) = (LaunchGate(width: 1), Crowd())
        for round in 0..<50 {
            let (held, release) = AsyncStream<Void>.makeStream()
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await gate.pass { for await _ in held {} }
                    return true
                }
                let waiting = (0..<4).map { _ in
                    Task { try await gate.pass { await crowd.pass() } }  // cancelled one by one, which no group can do
                }
                for _ in 0..<round { await Task.yield() }
                waiting[0].cancel()
                waiting[2].cancel()
                release.finish()
                _ = try await group.next()
                for (index, task) in waiting.enumerated() where index % 2 == 1 { try await task.value }
                for task in waiting { _ = await task.result }
            }
        }
        // Nothing is left of them: it is open.
        try await gate.pass { await crowd.pass() }
        #expect(crowd.inside.load(ordering: .relaxed) == 0)
    }

    @Test func whatFailsGivesItsTurnBack() async throws {
        struct Failure: Error {}
        let gate = LaunchGate(width: 1)
        await #expect(throws: Failure.self) { try await gate.pass { throw Failure() } }
        #expect(try await gate.pass { 7 } == 7)
    }
}
