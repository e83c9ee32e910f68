// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

extension LockBench {
    /// Acquires or releases one lock, as standard input says; answers with `CLOCK_BOOTTIME` before and after.
    static func handover(_ options: Options, on store: any LockStore, executor: (any TaskExecutor)?) async throws {
        let lock = try options.lock(0, on: store)
        try await lock.acquire(.no)
        if try await lock.owned() { try await lock.release() }
        tell("ready")
        while let line = readLine() {
            let times = try await withThrowingTaskGroup(of: (Int64, Int64).self) { group in
                group.addTask(executorPreference: executor) {
                    let before = Gauge.now()
                    if line == "acquire" { try await lock.acquire(.forever) } else { try await lock.release() }
                    return (before.elapsed, Gauge.now().elapsed)
                }
                return try await group.next() ?? (0, 0)
            }
            tell(times.0, times.1)
        }
    }
}
