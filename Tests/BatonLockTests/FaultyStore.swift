// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Synchronization

/// A real store behind a bad network: the next requests of a kind meet the faults that were asked for.
final class FaultyStore: LockStore {
    enum Operation: Hashable, Sendable { case acquire, renew, release, look }

    enum Fault: Sendable {
        case none
        /// The store does what it is asked; nobody hears of it.
        case replyLost
        /// Nobody hears of it, and the store does it only when `deliver` is called.
        case stuck
        /// Nothing is sent.
        case unreachable
        /// The answer comes, but so much later, whatever the timeout.
        case slow(Duration)
    }

    private struct State {
        var faults: [Operation: [Fault]] = [:]
        var lasting: [Operation: Fault] = [:]
        var counts: [Operation: Int] = [:]
        var acquires: [AcquireRequest] = []
        var stuck: [@Sendable () async throws -> Void] = []
        var hook: (@Sendable (Operation) -> Void)?
    }
    private let inner: any LockStore
    private let state = Mutex(State())

    init(_ inner: any LockStore) {
        self.inner = inner
    }

    /// The next requests of this kind meet these faults, one each.
    func next(_ operation: Operation, _ faults: Fault...) { state.withLock { $0.faults[operation] = faults } }

    /// All requests of this kind meet this fault, until another is given.
    func always(_ operation: Operation, _ fault: Fault) { state.withLock { $0.lasting[operation] = fault } }

    /// Called before each request is carried out.
    func onRequest(_ hook: @escaping @Sendable (Operation) -> Void) { state.withLock { $0.hook = hook } }

    func calls(_ operation: Operation) -> Int { state.withLock { $0.counts[operation] ?? 0 } }
    var acquires: [AcquireRequest] { state.withLock { $0.acquires } }

    /// What is stuck on its way arrives, in order. A request that the store refuses is no error.
    func deliver() async {
        let late = state.withLock { state in
            defer { state.stuck = [] }
            return state.stuck
        }
        for request in late { try? await request() }
    }

    private func meet<Answer: Sendable>(
        _ operation: Operation, _ request: @escaping @Sendable () async throws(LockError) -> Answer
    ) async throws(LockError) -> Answer {
        let (fault, hook) = state.withLock { state in
            state.counts[operation, default: 0] += 1
            if state.faults[operation]?.isEmpty == false {
                return (state.faults[operation]?.removeFirst() ?? .none, state.hook)
            }
            return (state.lasting[operation] ?? .none, state.hook)
        }
        hook?(operation)
        let unknown = LockError(.unknownOutcome, "the answer was lost (by the test)")
        // A store may give up when its caller is cancelled.
        if Task.isCancelled { throw LockError(.unreachable, "cancelled (by the test)") }
        switch fault {
        case .none: return try await request()
        case .replyLost:
            _ = try await request()
            throw unknown
        case .stuck:
            state.withLock { $0.stuck.append { _ = try await request() } }
            throw unknown
        case .unreachable: throw LockError(.unreachable, "no way to the store (by the test)")
        case .slow(let delay):
            let answer = try await request()
            await Task { try? await Task.sleep(for: delay) }.value  // also when the caller is cancelled
            return answer
        }
    }

    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        state.withLock { $0.acquires.append(request) }
        return try await meet(.acquire) { [inner] () throws(LockError) in
            try await inner.acquire(request, timeout: timeout)
        }
    }

    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try await meet(.renew) { [inner] () throws(LockError) in try await inner.renew(request, timeout: timeout) }
    }

    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        try await meet(.release) { [inner] () throws(LockError) in try await inner.release(request, timeout: timeout) }
    }

    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        try await meet(.look) { [inner] () throws(LockError) in try await inner.look(at: keys, timeout: timeout) }
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
        try await inner.setMark(mark, on: keys, timeout: timeout)
    }

    var waitingRoom: WaitingRoom { inner.waitingRoom }
    var executor: (any TaskExecutor)? { inner.executor }

    func serverTime() -> Int64? { inner.serverTime() }
    func tickTime() -> Int64? { inner.tickTime() }
    var clock: StoreClock? { inner.clock }

    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        try await inner.withAnnouncements(of: keys, body)
    }
}
