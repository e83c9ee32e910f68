// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import BatonValkey
import Logging
import ServiceLifecycle

struct Reporter: Service {
    let lock: Lock
    let logger: Logger
    let write: @Sendable (_ fence: Int64?) async throws -> Void

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await lock.withLock { lease in try await write(lease.fence) }
                } catch {
                    if Task.isCancelled { return }
                    // The lease was lost, or the work failed: compete again.
                    logger.warning("competing again", metadata: ["reason": "\(error)"])
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
    }
}

func reporting(
    store url: String, _ write: @escaping @Sendable (_ fence: Int64?) async throws -> Void
) throws -> ServiceGroup {
    let logger = Logger(label: "reports")
    let store = try ValkeyStore(url: url, logger: logger)
    let lock = try Lock(store, name: "report", timeout: .seconds(15))
    return ServiceGroup(services: [store, Reporter(lock: lock, logger: logger, write: write)], logger: logger)
}

func writeUnlessBusy(_ lock: Lock, _ write: @escaping @Sendable () async throws -> Void) async throws -> Bool {
    do {
        try await lock.withLock(.no) { _ in try await write() }
        return true
    } catch let error as LockError where error.code == .notAcquired {
        return false
    }
}

func copyPages(_ pages: [String], under lock: Lock, _ copy: (String) async throws -> Void) async throws -> Bool {
    guard try await lock.acquire(.atMost(.seconds(5))) else { return false }
    do {
        for page in pages {
            try await lock.reacquire()
            try await copy(page)
        }
    } catch {
        try? await lock.release()  // what went wrong before is what the caller wants to know
        throw error
    }
    try await lock.release()
    return true
}

protocol Machine: Sendable {
    func run() async throws
    func stop()
}

func runMachine(_ machine: any Machine, under lock: Lock) async throws {
    try await lock.withLock { lease in
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { if await lease.lost != nil { machine.stop() } }
            try await machine.run()
            group.cancelAll()
        }
    }
}

func explain(_ error: LockError) -> String {
    switch error.code {
    case .notAcquired: "somebody else had it all the time"
    case .notOwned: "the lease was lost before the work was done"
    case .unreachable, .unavailable: "the store is away; nothing was done"
    case .unknownOutcome: "the store may have done it: release the lock, or wait for its timeout"
    default: "\(error)"
    }
}
