// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSQLite

/// A store that remembers what went wrong, also what its caller would try again without a word.
final class RecordingStore: LockStore {
    let inner: SQLiteStore
    private let seen = Shared<[LockError]>([])

    init(_ inner: SQLiteStore) { self.inner = inner }

    var errors: [LockError] { seen.current }

    private func recording<Answer>(_ request: () async throws(LockError) -> Answer) async throws(LockError) -> Answer {
        do throws(LockError) { return try await request() } catch {
            seen.change { $0.append(error) }
            throw error
        }
    }

    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        try await recording { () throws(LockError) in try await inner.acquire(request, timeout: timeout) }
    }

    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try await recording { () throws(LockError) in try await inner.renew(request, timeout: timeout) }
    }

    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        try await recording { () throws(LockError) in try await inner.release(request, timeout: timeout) }
    }

    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        try await recording { () throws(LockError) in try await inner.look(at: keys, timeout: timeout) }
    }

    func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        try await inner.look(at: keys, withLedger: withLedger, timeout: timeout)
    }

    func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        try await inner.settle(request, timeout: timeout)
    }

    func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        try await inner.ask(request, timeout: timeout)
    }

    func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        try await inner.history(of: keys, limit: limit, timeout: timeout)
    }

    func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        try await recording { () throws(LockError) in try await inner.setMark(mark, on: keys, timeout: timeout) }
    }

    var waitingRoom: WaitingRoom { inner.waitingRoom }
    var executor: (any TaskExecutor)? { inner.executor }
    func serverTime() -> Int64? { inner.serverTime() }
    func tickTime() -> Int64? { inner.tickTime() }

    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        try await inner.withAnnouncements(of: keys, body)
    }
}
