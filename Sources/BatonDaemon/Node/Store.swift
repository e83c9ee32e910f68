// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonValkey
import Logging

/// The store that the node is configured for: which one, and what it needs to run.
struct Store: Sendable {
    private enum Kind: Sendable {
        case valkey(ValkeyStore)
        case sqlite(SQLiteStore)
    }
    private let kind: Kind
    /// For people: never with a password.
    let url: String

    /// - Parameter shortestLease: the shortest T of the node's jobs: a broken connection is made anew quickly enough for
    ///   it. (A lost SYN is sent again after a second only; a new attempt sends one at once.)
    init(_ settings: StoreSettings, shortestLease: Duration, logger: Logger) throws(StartError) {
        url = settings.url
        if var configuration = ValkeyStore.Configuration(settings) {
            configuration.connectTimeout = min(configuration.connectTimeout, max(shortestLease / 6, .milliseconds(200)))
            configuration.maxReconnectDelay = min(configuration.maxReconnectDelay, shortestLease / 12)
            kind = .valkey(ValkeyStore(configuration, logger: logger))
        } else if case .sqlite(let path) = settings.location {
            kind = .sqlite(SQLiteStore(path: path, maxLockTimeout: settings.maxLockTimeout))
        } else {
            throw StartError("the store \(url): this version has no store of that kind")
        }
    }

    var locks: any LockStore {
        switch kind {
        case .valkey(let store): store
        case .sqlite(let store): store
        }
    }

    var state: StoreState {
        switch kind {
        case .valkey(let store): store.state
        case .sqlite(let store): store.state
        }
    }

    /// What an operator should know of the server.
    var warnings: [String] {
        switch kind {
        case .valkey(let store): store.warnings
        case .sqlite: []
        }
    }

    /// Keeps the connections until cancelled.
    func run() async throws {
        switch kind {
        case .valkey(let store): try await store.run()
        case .sqlite(let store):
            try? await Task.sleep(for: .seconds(Int64(1) << 32))  // it needs no loop of its own, only an orderly end
            await store.close()
        }
    }
}
