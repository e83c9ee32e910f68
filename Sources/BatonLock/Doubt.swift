// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Synchronization

/// The last doubt that a `Lock` was left with, for the next of its calls that can clear it up.
final class Doubts: Sendable {
    private let last = Mutex<Doubt?>(nil)

    /// Whether the next call with a token of its own making is to go on with that of an earlier one.
    var mayBeTakenOver: Bool { last.withLock { $0?.tokenIsFresh ?? false } }

    func leave(_ doubt: Doubt?) { last.withLock { $0 = doubt } }

    /// The doubt, for one caller alone: two with one token would both be granted the lock.
    func take(where condition: (Doubt) -> Bool = { _ in true }) -> Doubt? {
        last.withLock { last in
            guard let doubt = last, condition(doubt) else { return nil }
            last = nil
            return doubt
        }
    }
}
