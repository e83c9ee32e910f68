// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Answers that come when their lease, or their caller, is over.
extension Scenario {
    func lateness(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        func some(
            _ kind: Fault.Kind, _ after: Int64, _ target: Fault.Target? = nil, for span: Int64? = nil,
            by amount: Int64? = nil
        ) -> Fault {
            var fault = fault(kind, at: now + after, rhythm, &chance, target)
            if let span { fault.span = span }
            if let amount { fault.amount = amount }
            return fault
        }
        // How long a request is waited for; longer than a lease.
        let patience = min(requestTimeout.nanoseconds, rhythm.timeout / 6)
        let long = rhythm.timeout * 5 / 4
        switch chance.below(5) {
        // A daemon that hangs while a yes is on its way, until after the end of its lease.
        case 0:
            return [
                some(.storeSlow, 0, for: rhythm.timeout, by: patience / 2),
                some(.hang, chance.between(0, rhythm.timeout / 2), .holder, for: long),
            ]
        // As before, in the middle of a restart in place.
        case 1:
            return [
                some(.storeSlow, 0, for: rhythm.timeout, by: patience / 2), some(.restartingReload, 1_000_000, .holder),
                some(.hang, chance.between(1_000_000, patience), .holder, for: long),
            ]
        // Everybody asks, requests are late but not too late, and who asked does not want the lock any more.
        case 2:
            let end = chance.pick([.disable, .restartingReload, .reexec, .drain] as [Fault.Kind])
            return [
                some(.late, 0, .all, for: patience, by: patience), some(.reset, 1_000_000, .all),
                some(end, chance.between(4_000_000, patience), .all),
            ]
        // As before, but the store forgets while they ask, and the holder does not come back.
        case 3:
            let loss = chance.between(patience / 3, patience)
            return [
                some(.late, 0, .bystander, for: patience, by: patience), some(.reset, 1_000_000, .bystander),
                some(.flush, loss), some(.cut, loss + 100_000, .holder, for: long),
            ]
        // A keeper that says nothing to a new daemon.
        case _:
            return [
                some(.keeperStop, 0, .holder, for: rhythm.timeout + 3_000_000_000),
                some(.crash, chance.between(1_000_000, rhythm.timeout / 2), .holder),
            ]
        }
    }
}
