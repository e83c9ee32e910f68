// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
public import BatonLock

/// Ledgers and histories of scheduled jobs (rule S8). They outlive power losses and boots.
extension SQLiteStore {
    /// Opens a job's ledger, tells it what this daemon remembers, and settles ticks that are not to run.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        try request.check()
        return try await file.transact(about: request.keys, timeout: timeout, .writes(.full)) {
            Stamped(try $0.settle(request), serverTime: $0.now)
        }
    }

    /// An operator asks for a run of a job.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        try request.check()
        return try await file.transact(about: request.keys, timeout: timeout, .writes(.full)) {
            Stamped(try $0.ask(request), serverTime: $0.now)
        }
    }

    /// The newest lines about a job's runs, the newest first; waits for no writer.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        try await file.transact(about: keys, timeout: timeout, .reads) {
            try $0.history(of: keys, limit: max(limit, 0))
        }
    }

    /// This machine's wall clock, in microseconds; never nil.
    public func tickTime() -> Int64? { file.surroundings.wallMicroseconds() }
}
