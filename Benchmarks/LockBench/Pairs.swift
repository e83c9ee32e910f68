// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

extension LockBench {
    /// Answers each count on standard input with the nanoseconds that so many pairs took: elapsed, and of processor.
    static func pairs(_ options: Options, on store: any LockStore, executor: (any TaskExecutor)?) async throws {
        let locks = try (0..<options.tasks).map { try options.lock($0, on: store) }
        // The first one connects, teaches the server the scripts, and waits for the guard.
        for lock in locks {
            try await lock.acquire()
            try await lock.release()
        }
        tell("ready")
        while let line = readLine(), let count = Int(line) {
            let begun = Gauge.now()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for lock in locks {
                    group.addTask(executorPreference: executor) {
                        for _ in 0..<(count / locks.count) {
                            guard try await lock.acquire(.no) else { throw Unexpected(what: "a lock was not free") }
                            try await lock.release()
                        }
                    }
                }
                try await group.waitForAll()
            }
            let ended = Gauge.now()
            tell(ended.elapsed - begun.elapsed, ended.processor - begun.processor)
        }
    }
}

/// The measurement is void.
struct Unexpected: Error {
    let what: String
}
