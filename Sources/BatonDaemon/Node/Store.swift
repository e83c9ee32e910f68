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
            (configuration.connectTimeout, configuration.maxReconnectDelay) = Self.pace(configuration, shortestLease)
            kind = .valkey(ValkeyStore(configuration, logger: logger))
        } else if case .sqlite(let path) = settings.location {
            kind = .sqlite(SQLiteStore(path: path, maxLockTimeout: settings.maxLockTimeout))
        } else {
            throw StartError("the store \(url): this version has no store of that kind")
        }
    }

    /// How quickly a connection has to be made anew for a lease of this length.
    private static func pace(
        _ configuration: ValkeyStore.Configuration, _ lease: Duration
    ) -> (connectTimeout: Duration, maxReconnectDelay: Duration) {
        (
            min(configuration.connectTimeout, max(lease / 6, .milliseconds(200))),
            min(configuration.maxReconnectDelay, lease / 12)
        )
    }

    /// Whether a broken connection may be made anew too late for a lease of this length: no job had such a short one
    /// when the store was made.
    func isSlow(for lease: Duration) -> Bool {
        guard case .valkey(let store) = kind else { return false }
        let own = store.configuration
        return Self.pace(own, lease) != (own.connectTimeout, own.maxReconnectDelay)
    }

    var locks: any LockStore {
        switch kind {
        case .valkey(let store): store
        case .sqlite(let store): store
        }
    }

    /// Where the nodes find each other.
    var registry: any NodeRegistry {
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
