// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// One cell of the matrix: a store behind a proxy of its own, and a lock of its own on a server that all cells share.
struct WireCell: Sendable {
    /// What a call may take beyond its own time limits, on a machine that is busy with other cells.
    static var margin: Duration { .seconds(5) + lateness.seen * 20 }
    /// Answers come when they are due, so that what a call ends with is the fault's doing and not the machine's.
    static var isPunctual: Bool { lateness.seen < .milliseconds(50) }
    /// The time limit of a request that nothing will come of.
    static let brief = Duration.milliseconds(150)

    /// How late the machine is while the cells of a row run.
    static let lateness = Lateness()

    let title: String
    let server: TestServer
    let proxy: FaultProxy
    let store: ValkeyStore
    /// The lock's name, and so its key.
    let lock: String

    var keys: LockKeys { LockKeys(name: bytes(lock)) }

    /// The token in the lock, as the server has it.
    var holder: Bytes? {
        get throws {
            switch try server.ask("GET", lock) {
            case .string(let token): token
            case .null: nil
            default: throw TestFailure("\(title): the lock is no string")
            }
        }
    }

    /// What is left of the lock's TTL, as the server has it.
    var timeToLive: Duration {
        get throws { .milliseconds(try server.number("PTTL", lock) ?? 0) }
    }

    /// Holds the lock, behind the store's back.
    func hold(_ token: String, for length: Duration = .seconds(20)) throws {
        try server.ask("SET", lock, token, "PX", "\(length.milliseconds)")
    }

    /// The store answers again, whatever happened.
    func comesBack(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await eventually("\(title): the store comes back", sourceLocation: sourceLocation) {
            (try? await store.look(at: keys, timeout: .seconds(1))) != nil
        }
    }

    /// Runs `body` beside a proxy and a store that are gone when this returns.
    ///
    /// The store is connected, unless its greeting is what meets a fault.
    static func with(
        _ title: String, _ server: TestServer, number: Int,
        _ change: (inout ValkeyStore.Configuration) -> Void = { _ in }, greeting: (WireStep, WireCase)? = nil,
        _ body: (WireCell) async throws -> Void
    ) async throws {
        try await withFaultProxy(server) { proxy in
            var configuration = proxy.configuration
            configuration.requestTimeout = .milliseconds(100)
            configuration.maxReconnectDelay = .milliseconds(100)
            change(&configuration)
            if let (step, column) = greeting {
                column.isLasting ? proxy.strikeAlways(step, column.fault) : proxy.strike(step, column.fault)
            }
            try await withValkeyStore(configuration) { store in
                let cell = WireCell(
                    title: title, server: server, proxy: proxy, store: store, lock: "lock\(number)")
                if greeting == nil { try await cell.comesBack() }
                try await body(cell)
            }
        }
    }

    /// Runs `body` with a server that knows our scripts, so that only an error of ours makes a request two.
    static func withTaughtServer(_ body: (TestServer) async throws -> Void) async throws {
        try await withServer { server in
            try await withValkeyStore(server.unix) { store in
                let lock = try Lock(store, name: "teaching", timeout: .seconds(30))
                try await lock.acquire()
                try await lock.reacquire()
                #expect(try await lock.owned())
                try await lock.release()
            }
            try await body(server)
        }
    }

    /// Runs the cells of a row, some at a time. A cell that throws is an issue that names it.
    static func each<Column: Sendable>(
        _ columns: [Column], atOnce: Int = 48, _ body: @escaping @Sendable (Int, Column) async throws -> Void,
        title: @escaping @Sendable (Column) -> String
    ) async {
        async let _ = lateness.watch()  // ends with this scope
        await withTaskGroup(of: Void.self) { group in
            for (number, column) in columns.enumerated() {
                if number >= atOnce { await group.next() }
                group.addTask {
                    do { try await body(number, column) } catch { Issue.record("\(title(column)): \(error)") }
                }
            }
        }
    }
}

extension WireCell {
    /// Asks again while the store cannot be reached, which it can before long.
    func insists(
        sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Bool
    ) async throws {
        try await eventually("\(title): it is had in the end", sourceLocation: sourceLocation) {
            do { return try await body() } catch let error as LockError where error.isPassing { return false }
        }
    }

    /// Releases what `lock` holds, or may have lost meanwhile.
    func givesBack(_ lock: Lock) async throws {
        try await insists {
            do { try await lock.release() } catch let error as LockError where error.code == .notOwned {}
            return true
        }
    }
}

extension WireCell {
    /// Returns when somebody listens for announcements of the lock.
    func subscribed() async throws {
        try await eventually("\(title): it is subscribed") {
            try server.ask("PUBSUB", "NUMSUB", lock).elements?.last == .integer(1)
        }
    }
}
