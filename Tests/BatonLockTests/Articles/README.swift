// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import BatonValkey

func writeReport(store url: String, write: @escaping @Sendable (_ fence: Int64) async throws -> Void) async throws {
    try await withValkeyStore(url: url) { store in
        let lock = try Lock(store, name: "report", timeout: .seconds(10))
        try await lock.withLock(.atMost(.seconds(30))) { lease in
            // Renewed every third of the timeout; cancelled when the lease is lost.
            try await write(lease.fence ?? 0)
        }
    }
}
