// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite
import BatonValkey
import Logging
import ServiceLifecycle

/// The store that the node is configured for: which one, and what it needs to run.
struct Store: Sendable {
    private enum Kind: Sendable {
        case valkey(ValkeyStore)
        case sqlite(SQLiteStore)
    }
    private let kind: Kind
    /// For people: never with a password.
    let url: String

    init(_ settings: StoreSettings, logger: Logger) throws(StartError) {
        url = settings.url
        switch settings.location {
        case .sqlite(let path):
            kind = .sqlite(SQLiteStore(path: path, maxLockTimeout: settings.maxLockTimeout))
        case .tcp, .unixSocket:
            kind = .valkey(
                try StartError.wrapping("the store \(url)") { try ValkeyStore(settings: settings, logger: logger) })
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

    /// Keeps the connections until cancelled.
    func run() async throws {
        switch kind {
        case .valkey(let store): try await store.run()
        case .sqlite(let store): try await store.run()
        }
    }
}
