// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Counts across threads.
final class Counter: Sendable {
    private let value = Mutex(0)

    /// The next number, from 1.
    func next() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}
