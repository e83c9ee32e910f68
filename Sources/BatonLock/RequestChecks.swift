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
    package func check() throws(LockError) { try keys.check(token: token) }
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

    fileprivate func invalid(_ message: String) -> LockError {
        LockError(.invalidArgument, lock: PrintableText.escaped(lock), message)
    }
}
