// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

func exampleOfLock(
    _ store: any LockStore, _ report: String,
    _ write: @escaping @Sendable (_ report: String, _ fence: Int64?) async throws -> Void
) async throws {
    let lock = try Lock(store, name: "report", timeout: .seconds(10))
    try await lock.withLock { lease in
        try await write(report, lease.fence)
    }
}
