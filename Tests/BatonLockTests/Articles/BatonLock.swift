// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

func withReport(
    _ store: any LockStore, _ write: @escaping @Sendable (_ fence: Int64?) async throws -> Void
) async throws {
    let lock = try Lock(store, name: "report", timeout: .seconds(10))
    try await lock.withLock(.atMost(.seconds(30))) { lease in
        try await write(lease.fence)
    }
}
