// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonValkey
import Testing

@testable import BatonTestSupport

/// Where sequences are tried: each on a fresh store of one kind.
struct Arena: Sendable {
    let name: String
    let pace: StoreOperation.Pace
    /// Puts a store that knows nothing, and the model, through a sequence.
    let run: @Sendable ([StoreOperation]) async throws -> StoreTrial.Outcome

    /// What is wrong with the sequence of this seed, shortened, or nil; and how it went at first.
    func failure(seed: UInt64, length: Int = 60) async throws -> (failure: Failure?, first: StoreTrial.Outcome) {
        let sequence = StoreOperation.sequence(seed: seed, length: length, pace: pace)
        let first = try await run(sequence)
        guard first.end == .disagreed else { return (nil, first) }
        var shown = first
        func fails(_ shorter: [StoreOperation]) async throws -> Bool {
            var outcome = try await run(shorter)
            // A busy machine does not make a sequence a good one.
            for _ in 0..<3 where outcome.end == .overtaken { outcome = try await run(shorter) }
            if outcome.end == .disagreed { shown = outcome }
            return outcome.end == .disagreed
        }
        var needed = Array(sequence.prefix(first.steps.count))
        // If something ended meanwhile, it was by the time that the steps took: a shorter sequence has to wait for it.
        let waiting = Array(needed.dropLast()) + [.passNextEnd] + needed.suffix(1)
        if try await fails(waiting) { needed = waiting }
        _ = try await shrunk(needed, limit: 400, simpler: \.simpler) { try await fails($0) }
        return (Failure(arena: name, seed: seed, of: length, steps: shown.steps), first)
    }

    /// A sequence that store and model answer differently.
    struct Failure: CustomStringConvertible {
        let arena: String
        let seed: UInt64
        let of: Int
        let steps: [StoreTrial.Step]

        var description: String {
            (["\(arena) and the model differ, seed \(seed), \(steps.count) of \(of) steps:"] + steps.map(\.description))
                .joined(separator: "\n")
        }
    }
}

/// A kind of store to try sequences on.
struct ArenaKind: Sendable, CustomTestStringConvertible {
    let name: String
    let with: @Sendable (@Sendable (Arena) async throws -> Void) async throws -> Void

    var testDescription: String { name }

    static let real: [ArenaKind] = [
        ArenaKind(name: "valkey over TCP") { body in
            try await withServer { server in
                try await withValkeyStore(server.tcp) { store in
                    try await body(
                        Arena(name: "valkey over TCP", pace: .real) { sequence in
                            try server.ask("FLUSHALL")
                            return try await StoreTrial.run(sequence, on: ValkeyContender(server: server, store: store))
                        })
                }
            }
        },
        ArenaKind(name: "an SQLite file") { body in
            try await body(
                Arena(name: "an SQLite file", pace: .settable) { sequence in
                    let bench = SQLiteBench()
                    let store = bench.store()
                    _ = try await store.lookAround()  // so that there is a file to do things to
                    let outcome = try await StoreTrial.run(sequence, on: SQLiteContender(bench, store))
                    await store.close()
                    return outcome
                })
        },
    ]
}
