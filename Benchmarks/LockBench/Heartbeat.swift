// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import Synchronization

extension LockBench {
    /// Holds many locks, each inside a `withLock` of its own task; says `held`, then elapsed and processor nanoseconds
    /// of so many seconds, then how many leases were lost.
    static func heartbeat(_ options: Options, on store: any LockStore) async throws {
        try await withHeartbeats(options, on: store) { lost in
            // A third of the timeout apart, renewals have found their rhythm after one.
            try await Task.sleep(for: options.timeout / 3)
            tell("held")
            let begun = Gauge.now()
            try await Task.sleep(for: .seconds(options.seconds))
            let ended = Gauge.now()
            tell(ended.elapsed - begun.elapsed, ended.processor - begun.processor, lost())
        }
    }

    /// Runs `body` while `options.count` tasks are inside `withLock`; it can ask how many of them lost their lease.
    static func withHeartbeats(
        _ options: Options, on store: any LockStore, _ body: (() -> Int) async throws -> Void
    ) async throws {
        let latch = Latch()
        let held = Tally()
        let lost = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<options.count {
                // In small crowds: what is measured are locks that are held, not the rush to get them.
                while held.count + 64 <= index { try await Task.sleep(for: .milliseconds(1)) }
                group.addTask {
                    let lock = try options.lock(index, digits: 5, on: store)
                    do {
                        try await lock.withLock { _ in
                            held.increment()
                            await latch.wait()
                            if Task.isCancelled { lost.increment() }
                        }
                    } catch let error as LockError where error.code == .notOwned {
                        return  // counted above
                    }
                }
            }
            while held.count < options.count { try await Task.sleep(for: .milliseconds(10)) }
            try await body { lost.count }
            latch.open()
            try await group.waitForAll()
        }
    }
}

/// Counts across tasks.
private final class Tally: Sendable {
    private let value = Mutex(0)

    var count: Int { value.withLock { $0 } }

    func increment() { value.withLock { $0 += 1 } }
}
