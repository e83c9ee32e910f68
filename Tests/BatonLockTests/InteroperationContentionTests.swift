// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// Many of both sides at once.
@Suite(.timeLimit(.minutes(2)))
struct InteroperationContentionTests {
    @Test func ofSixtyFourContendersNoneLosesAnUpdate() async throws {
        try await withBothSides { sides in
            let (contenders, rounds) = (32, 5)
            let fences = Shared<[Int64]>([])
            let turns = Shared<[Int]>([])
            // A third party has the lock until both sides are waiting for it.
            try sides.server.ask("SET", report, "starter")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await sides.python.contend(threads: contenders, rounds: rounds, counter: "counter")
                }
                for _ in 0..<contenders {
                    group.addTask {
                        let lock = try Lock(sides.store, name: report, timeout: .seconds(60), sleep: .milliseconds(5))
                        for _ in 0..<rounds {
                            try await lock.withLock { lease in
                                let seen = try sides.server.number(at: "counter")
                                try await Task.sleep(for: .milliseconds(1))
                                try sides.server.ask("SET", "counter", "\(seen + 1)")
                                fences.change { $0.append(lease.fence ?? 0) }
                                turns.change { $0.append(seen) }
                            }
                        }
                    }
                }
                try await eventually("every thread has tried") {
                    try sides.server.calls(of: "set") >= contenders
                }
                try sides.server.ask("DEL", report)
                try await group.waitForAll()
            }
            #expect(try sides.server.number(at: "counter") == 2 * contenders * rounds)
            // Python had turns between Swift's, and not only before or after them all.
            let changes = zip(turns.current, turns.current.dropFirst()).count { $0 + 1 < $1 }
            #expect(changes > 0)
            #expect(fences.current.count == contenders * rounds)
            #expect(zip(fences.current, fences.current.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test func fencesGrowAcrossPythonsTurns() async throws {
        try await withBothSides { sides in
            let python = try await sides.python.lock(["timeout": 20])
            let swift = try Lock(sides.store, name: report, timeout: leaseLength)
            var last: Int64 = 0
            for _ in 0..<10 {
                #expect(try await swift.acquire())
                let fence = try #require(swift.lease?.fence)
                #expect(fence > last)
                last = fence
                try await swift.release()
                #expect(try await python.acquire())
                try await python.release()
            }
        }
    }
}

extension TestServer {
    /// The number at a key; 0 if there is none.
    fileprivate func number(at key: String) throws -> Int {
        guard case .string(let digits) = try ask("GET", key) else { return 0 }
        return try #require(Int(String(decoding: digits, as: UTF8.self)))
    }

    /// How often a command was called, by clients or scripts.
    fileprivate func calls(of command: String) throws -> Int {
        guard case .string(let report) = try ask("INFO", "commandstats") else { return 0 }
        let line = String(decoding: report, as: UTF8.self).split(separator: "\r\n").first {
            $0.hasPrefix("cmdstat_\(command):calls=")
        }
        return line?.split(separator: "=").dropFirst().first.flatMap { Int($0.split(separator: ",")[0]) } ?? 0
    }
}
