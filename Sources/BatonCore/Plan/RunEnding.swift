// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// How a run ended, as far as its tick goes: the word that stands in the ledger.
package enum RunEnding: String, Equatable, Sendable, CaseIterable {
    case succeeded
    case failed
    /// It was ended because it took too long.
    case timeout
    /// Its lease was over before it was.
    case lost
    /// An operator ended it, or its node did as it went.
    case stopped
    /// It made room for the next tick.
    case replaced
    /// It never began: the lock was given back at once, and the tick is as good as unclaimed.
    case withdrawn

    /// What the ledger has; nil: nothing, or a later version's word.
    package init?(_ outcome: Bytes) { self.init(rawValue: String(decoding: outcome, as: UTF8.self)) }

    package var bytes: Bytes { Bytes(rawValue.utf8) }
}
