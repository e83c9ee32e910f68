// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import BatonValkey

func underLock(_ configuration: ValkeyStore.Configuration, _ write: @escaping @Sendable () -> Int) async throws -> Int {
    try await withValkeyStore(configuration) { store in
        let lock = try Lock(store, name: "report", timeout: .seconds(10))
        return try await lock.withLock { _ in write() }
    }
}

func distantServer(authorities: String, password: String) -> ValkeyStore.Configuration {
    var configuration = ValkeyStore.Configuration(address: .tcp(host: "locks.example.org", port: 6379))
    configuration.tls = true
    configuration.caFile = authorities
    configuration.username = "reporter"
    configuration.password = password
    return configuration
}
