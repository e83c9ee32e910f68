// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import Glibc

/// What there are many of, when their memory is measured.
enum Many: String {
    /// Locks that were acquired.
    case held
    /// Tasks inside `withLock`, each with a lock of its own.
    case heartbeats
    /// Tasks that wait for one lock, which somebody else holds.
    case waiting
    /// Tasks that wait for nothing but each other: what a task itself takes.
    case bare
}

extension LockBench {
    /// Says by how many bytes this process grew, then waits for the end of standard input.
    static func memory(_ options: Options, on store: any LockStore) async throws {
        // Connections, scripts, buffers and the runtime's own are there before.
        let first = try options.lock(99_999, digits: 5, on: store)
        for _ in 0..<1000 {
            try await first.acquire()
            try await first.release()
        }
        let before = try Gauge.memory()
        switch options.what {
        case .held:
            let locks = try (0..<options.count).map { try options.lock($0, digits: 5, on: store) }
            for lock in locks { try await lock.acquire() }
            try await grown(options, before)
            withExtendedLifetime(locks) {}
        case .heartbeats:
            try await withHeartbeats(options, on: store) { _ in try await grown(options, before) }
        case .waiting:
            let lock = try options.lock(0, digits: 5, on: store)
            try await suspended(options, before) { try await lock.acquire() }
        case .bare:
            let latch = Latch()
            try await suspended(options, before) { await latch.wait() }
        }
    }

    private static func suspended(
        _ options: Options, _ before: Int, _ wait: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<options.count { group.addTask { try await wait() } }
            try await grown(options, before)
            exit(0)  // nothing is to be learned from the end of ten thousand waits
        }
    }

    private static func grown(_ options: Options, _ before: Int) async throws {
        try await Task.sleep(for: .seconds(options.seconds))
        tell(try Gauge.memory() - before)
        _ = readLine()
    }
}
