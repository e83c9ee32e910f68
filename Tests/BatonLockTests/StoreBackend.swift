// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonValkey
import Foundation
import Testing

@testable import BatonTestSupport

/// A store that a case has for itself, and what can be done to it from outside.
struct StoreUnderTest: Sendable {
    let store: any LockStore
    /// The store loses everything it knew, and goes on.
    let forgetEverything: @Sendable () async throws -> Void
    /// The lock's own key (or row) goes away without a release; its companions stay.
    let deleteLock: @Sendable (LockKeys) async throws -> Void
    /// The store comes back with its data, but as another: restored, restarted, promoted.
    let restart: @Sendable () async throws -> Void
    /// The ledger goes away; the history stays.
    var deleteLedger: @Sendable (LockKeys) async throws -> Void = { _ in throw TestFailure("no ledgers here") }
    /// The ledger's position becomes another: an older copy came back, or a newer one.
    var movePosition: @Sendable (LockKeys, Int64) async throws -> Void = { _, _ in throw TestFailure("no ledgers here")
    }
}

/// A kind of store, and a way to have a fresh one.
struct StoreBackend: Sendable, CustomTestStringConvertible {
    let name: String
    let with: @Sendable (@Sendable (StoreUnderTest) async throws -> Void) async throws -> Void

    var testDescription: String { name }

    /// Every kind of store that the conformance cases run against.
    static let all: [StoreBackend] = [
        valkey("valkey over TCP") { $0.tcp },
        valkey("valkey over a Unix socket") { $0.unix },
        valkey("valkey over TLS", .init(tls: true)) { $0.tls },
        StoreBackend(name: "an SQLite file") { body in
            let bench = SQLiteBench()
            let store = SQLiteStore(path: bench.path, maxLockTimeout: maxLockTimeout)
            try await body(
                StoreUnderTest(
                    store: store,
                    forgetEverything: { try await bench.edit(SQLiteBench.forgetting) },
                    deleteLock: { try await bench.edit(SQLiteBench.deleting($0)) },
                    restart: { try await bench.replaceByCopy { try await bench.edit($0) } },
                    deleteLedger: { try await bench.edit(SQLiteBench.deletingLedger($0)) },
                    movePosition: { try await bench.edit(SQLiteBench.moving($0, to: $1)) }))
            await store.close()
        },
        StoreBackend(name: "the pure model") { body in
            let store = ModelStore()
            let restarts = Counter()
            try await body(
                StoreUnderTest(
                    store: store, forgetEverything: { store.change { $0.forgetEverything() } },
                    deleteLock: { keys in store.change { $0.forgetLock(keys) } },
                    restart: { store.change { $0.restart(as: bytes("\(restarts.next())")) } },
                    deleteLedger: { keys in store.change { $0.forgetLedger(keys) } },
                    movePosition: { keys, tick in store.change { $0.movePosition(keys, to: tick) } }))
        },
    ]

    private static func valkey(
        _ name: String, _ options: TestServer.Options = .init(),
        _ address: @escaping @Sendable (TestServer) -> ValkeyStore.Configuration
    ) -> StoreBackend {
        StoreBackend(name: name) { body in
            try await withServer(options) { server in
                try await withValkeyStore(address(server)) { store in
                    try await body(
                        StoreUnderTest(
                            store: store, forgetEverything: { try server.ask("FLUSHALL") },
                            deleteLock: { try server.ask("DEL", String(decoding: $0.lock, as: UTF8.self)) },
                            restart: { try server.becomeAnother() },
                            deleteLedger: { try server.ask("DEL", String(decoding: $0.ledger, as: UTF8.self)) },
                            movePosition: { keys, tick in
                                try server.ask("HSET", String(decoding: keys.ledger, as: UTF8.self), "tick", "\(tick)")
                            }))
                }
            }
        }
    }
}
