// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore
public import BatonLock

/// Ledgers and histories of scheduled jobs (rule S8).
extension ValkeyStore {
    /// Opens a job's ledger, tells it what this daemon remembers, and settles ticks that are not to run.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        try await run(ScriptCall.settle(request), on: request.keys, timeout: timeout) { answer in
            answer.ledgerView().map { Stamped($0, at: answer.time) }
        }
    }

    /// An operator asks for a run of a job.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        try await run(ScriptCall.ask(request), on: request.keys, timeout: timeout) { answer in
            answer.asked().map { Stamped($0, at: answer.time) }
        }
    }

    /// The newest lines about a job's runs, the newest first.
    ///
    /// - Throws: `LockError` as ``acquire(_:timeout:)``.
    public func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        if limit < 1 { return [] }
        return try await run(.history(of: keys, limit: limit), on: keys, timeout: timeout) { $0.lines() }
    }
}
