// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import BatonValkey

func reportOnce(store url: String, _ write: @escaping @Sendable () async throws -> Void) async throws {
    try await withValkeyStore(url: url) { store in
        let lock = try Lock(store, name: "report", timeout: .seconds(10), blockingTimeout: .seconds(30))
        try await lock.withLock { _ in try await write() }
    }
}

func writeAsWorker7(_ lock: Lock, _ write: () async throws -> Void) async throws {
    if try await lock.acquire(.no, token: "worker-7") {
        let written: Result<Void, any Error>
        do {
            try await lock.extend(.seconds(60))
            written = .success(try await write())
        } catch {
            written = .failure(error)
        }
        try await lock.release()
        try written.get()
    }
}

func releaseOrUndo(_ lock: Lock, _ undo: () async throws -> Void) async throws {
    do {
        try await lock.release()
    } catch let error as LockError where error.code == .notOwned {
        try await undo()
    } catch let error as LockError where error.code == .notHeld {
        // Nothing was acquired.
    }
}

func writeEach(_ pages: [String], _ store: any LockStore, _ write: @escaping @Sendable (String) async throws -> Void)
    async throws
{
    let lock = try Lock(store, name: "report", timeout: .seconds(10), tokenScope: .task)
    try await withThrowingTaskGroup(of: Void.self) { group in
        for page in pages {
            group.addTask {
                try await lock.scoped {
                    try await lock.acquire()
                    try await write(page)
                    try await lock.release()
                }
            }
        }
        try await group.waitForAll()
    }
}
