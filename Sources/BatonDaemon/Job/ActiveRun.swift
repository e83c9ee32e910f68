// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// The run that the loop holds the lock for, with what is needed to reach it.
struct ActiveRun: Sendable {
    let runID: String
    /// The token and the fence.
    var record: LeaseRecord
    /// RFC 3339.
    var since = WallClock.rfc3339()
    /// The token is still an earlier daemon's.
    var isInherited = false
    var link: KeeperLink?
    /// Given up before its keeper was told to go: nothing of it ever runs.
    var isAbandoned = false
    /// The keeper said that nothing is left of it.
    var hasEnded = false
}

/// A run that an earlier daemon left behind, and what the machine is told of it.
struct InheritedRun: Sendable {
    var job: String
    var run: ActiveRun
    var event: JobMachine.Event
}

/// A run's id: 128 random bits.
enum RunID {
    static func fresh() -> String {
        var generator = SystemRandomNumberGenerator()
        func word() -> String {
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return word() + word()
    }
}
