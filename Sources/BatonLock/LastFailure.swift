// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The message of the last attempt that failed, kept for the error of a call that ran out of time.
final class LastFailure: Sendable {
    private let message = Mutex<String?>(nil)

    func set(_ new: String?) { message.withLock { $0 = new } }
    func get() -> String? { message.withLock { $0 } }
}
