// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import Testing

/// Many tasks of several stores, which are to each other as processes are, at one file.
@Suite struct SQLiteCrowdTests {
    /// Each of a hundred tasks of each of eight stores acquires one of the locks, once. No request fails meanwhile: what
    /// waits for locks keeps nobody else's request from its turn.
    @Test(arguments: [1, 20, 100]) func aHundredTasksOfEightStoresGetTheirTurns(locks: Int) async throws {
        let tasks = 100
        // A disk that many share was seen to take more than a second for one write.
        let bench = SQLiteBench(inMemory: true)
        let inside = Shared([Int](repeating: 0, count: locks))
        let turns = Shared(0)
        let stores = (0..<8).map { _ in RecordingStore(SQLiteStore(path: bench.path, maxLockTimeout: .seconds(30))) }
        // Opening the file is not what this is about, either.
        for store in stores { _ = try await store.look(reportKeys) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for store in stores {
                for task in 0..<tasks {
                    let number = task % locks
                    let lock = try Lock(store, name: "crowd \(number)", timeout: .seconds(10))
                    group.addTask {
                        #expect(try await lock.acquire(.atMost(.seconds(120))))
                        inside.change { $0[number] += 1 }
                        #expect(inside.current[number] == 1)
                        inside.change { $0[number] -= 1 }
                        turns.change { $0 += 1 }
                        try await lock.release()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(turns.current == tasks * 8)
        let errors = stores.flatMap { $0.errors }
        #expect(errors.isEmpty)
        for store in stores { await store.inner.close() }
    }
}
