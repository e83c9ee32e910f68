// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// What no store carries out, because it can never work: refused alike by all of them, before anything is sent.
extension AcquireRequest {
    /// - Throws: `invalidArgument`, with a sentence that says what is wrong.
    package func check() throws(LockError) {
        try keys.check(token: token)
        if let timeout { try keys.check(lease: timeout) }
        if let fence { try keys.check(fence: fence.floor) }
        if let claim {
            try keys.check(claim)
            if fence == nil || !tokenIsFresh { throw keys.invalid("a claim needs a fence and a token of its own") }
        }
        guard let guarding else { return }
        guard let timeout else {
            throw keys.invalid("a lock that never expires cannot be guarded: give it a timeout")
        }
        if timeout > guarding.maxLockTimeout {
            throw keys.invalid("a lease of \(timeout) is longer than max_lock_timeout = \(guarding.maxLockTimeout)")
        }
    }
}

extension RenewRequest {
    /// - Throws: `invalidArgument`, with a sentence that says what is wrong.
    package func check() throws(LockError) {
        try keys.check(token: token)
        if let successor { try keys.check(token: successor.token) }
        try keys.check(fence: fence)
        if let ledger { try keys.check(run: ledger, fences: 1) }
        switch change {
        case .reset(let whole): try keys.check(lease: whole)
        case .add(let more):
            if more > LockKeys.longestLease || more < .zero - LockKeys.longestLease {
                throw keys.invalid("a lease cannot change by \(more)")
            }
        }
    }
}

extension ReleaseRequest {
    /// - Throws: `invalidArgument`, with a sentence that says what is wrong.
    package func check() throws(LockError) {
        try keys.check(token: token)
        guard let outcome else { return }
        try keys.check(run: outcome.run, fences: 0)
        if !(1...LedgerEntry.longestOutcome).contains(outcome.outcome.count) {
            throw keys.invalid("an outcome has 1 to \(LedgerEntry.longestOutcome) bytes")
        }
        try keys.check(lines: outcome.line.map { [$0] } ?? [])
    }
}

extension SettleRequest {
    /// - Throws: `invalidArgument`, with a sentence that says what is wrong.
    package func check() throws(LockError) {
        try keys.check(tick: floor)
        try keys.check(fence: fence)
        if let tick { try keys.check(tick: tick) }
        try keys.check(lines: lines)
    }
}

extension AskRequest {
    /// - Throws: `invalidArgument`, with a sentence that says what is wrong.
    package func check() throws(LockError) {
        if call.isEmpty || call.count > LedgerEntry.longestInfo || by.utf8.count > LedgerEntry.longestInfo {
            throw keys.invalid("a request for a run has an id, and says in at most 1 KiB who asks")
        }
    }
}

extension LockKeys {
    /// 31 years: sums with it stay far from where numbers end.
    fileprivate static let longestLease = Duration.seconds(1_000_000_000)

    fileprivate func check(token: Bytes) throws(LockError) {
        if token.isEmpty { throw invalid("a token must have at least one byte") }
    }

    fileprivate func check(lease: Duration) throws(LockError) {
        if lease < .milliseconds(1) || lease > Self.longestLease {
            throw invalid("a lease of \(lease) cannot be: wanted 1 ms to 31 years")
        }
    }

    fileprivate func check(fence: Int64) throws(LockError) {
        let largest = AcquireRequest.FenceRequest.largest
        if !(0...largest).contains(fence) { throw invalid("a fence is from 0 to \(largest)") }
    }

    fileprivate func check(_ claim: LedgerClaim) throws(LockError) {
        try check(tick: claim.floor)
        let entry = claim.entry(fence: 0, at: 0)
        if claim.attempt < 1 || !entry.isSound {
            throw invalid("this can be no claim: tick \(claim.tick), attempt \(claim.attempt)")
        }
        try check(lines: claim.lines)
    }

    /// - Parameter fences: the smallest fence that it may have.
    fileprivate func check(run: LedgerEntry, fences: Int64) throws(LockError) {
        if run.fence < fences || !run.isSound {
            throw invalid("this can be no run: tick \(run.tick), attempt \(run.attempt), fence \(run.fence)")
        }
    }

    fileprivate func check(tick: Int64) throws(LockError) {
        let latest = LedgerEntry.lastTick
        if !(0...latest).contains(tick) { throw invalid("a tick is from 0 to \(latest), not \(tick)") }
    }

    fileprivate func check(lines: [Bytes]) throws(LockError) {
        if lines.count > LedgerClaim.mostLines || lines.contains(where: { $0.count > LedgerClaim.longestLine }) {
            throw invalid(
                "a request has at most \(LedgerClaim.mostLines) lines of at most \(LedgerClaim.longestLine) bytes")
        }
    }

    fileprivate func invalid(_ message: String) -> LockError {
        LockError(.invalidArgument, lock: PrintableText.escaped(lock), message)
    }
}
