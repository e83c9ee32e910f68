// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem

/// A store, and how long its answers take.
struct MeasuredStore: LockStore {
    let base: any LockStore
    let metrics: NodeMetrics
    /// That of the jobs' keys.
    let prefix: String

    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        let answer = try await measured(.acquire) { () async throws(LockError) in
            try await base.acquire(request, timeout: timeout)
        }
        // Who claims what another owned, and is granted it, has waited until that lease was over.
        if case .granted = answer.reply, request.guarding?.claim != nil, let job = request.keys.job(prefix: prefix) {
            metrics.tookOver(job)
        }
        return answer
    }

    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try await measured(.renew) { () async throws(LockError) in try await base.renew(request, timeout: timeout) }
    }

    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        try await measured(.release) { () async throws(LockError) in
            try await base.release(request, timeout: timeout)
        }
    }

    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        try await measured(.look) { () async throws(LockError) in try await base.look(at: keys, timeout: timeout) }
    }

    func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        try await measured(.look) { () async throws(LockError) in
            try await base.look(at: keys, withLedger: withLedger, timeout: timeout)
        }
    }

    func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        try await measured(.mark) { () async throws(LockError) in
            try await base.setMark(mark, on: keys, timeout: timeout)
        }
    }

    func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool {
        try await measured(.mark) { () async throws(LockError) in
            try await base.restoreMark(mark, on: keys, timeout: timeout)
        }
    }

    func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        try await measured(.settle) { () async throws(LockError) in try await base.settle(request, timeout: timeout) }
    }

    func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        try await measured(.ask) { () async throws(LockError) in try await base.ask(request, timeout: timeout) }
    }

    func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        try await measured(.history) { () async throws(LockError) in
            try await base.history(of: keys, limit: limit, timeout: timeout)
        }
    }

    private func measured<Reply>(
        _ request: MetricsTally.Request, _ body: () async throws(LockError) -> Reply
    ) async throws(LockError) -> Reply {
        let sentAt = BootClock.now()
        do throws(LockError) {
            let reply = try await body()
            metrics.answered(request, after: BootClock.now() - sentAt, isFailure: false)
            return reply
        } catch {
            metrics.answered(request, after: BootClock.now() - sentAt, isFailure: true)
            throw error
        }
    }

    // MARK: What is no request

    func tickTime() -> Int64? { base.tickTime() }
    func serverTime() -> Int64? { base.serverTime() }
    var waitingRoom: WaitingRoom { base.waitingRoom }
    var executor: (any TaskExecutor)? { base.executor }
    var clock: StoreClock? { base.clock }

    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        try await base.withAnnouncements(of: keys, body)
    }

    func connect(_ bell: Doorbell, to keys: LockKeys) { base.connect(bell, to: keys) }
    func disconnect(_ bell: Doorbell, from keys: LockKeys) { base.disconnect(bell, from: keys) }
}

extension LockStore {
    /// This store, measured if the node's metrics can be had anywhere.
    func measured(by metrics: NodeMetrics, as node: NodeSettings) -> any LockStore {
        if node.metrics == MetricsSettings() { return self }
        return MeasuredStore(base: self, metrics: metrics, prefix: node.store.prefix)
    }
}

extension LockKeys {
    /// The job whose lock this is; nil: it is none of a job with keys of this prefix.
    fileprivate func job(prefix: String) -> String? {
        let (head, tail) = (Bytes("{\(prefix)}:".utf8), Bytes(":lock".utf8))
        guard lock.starts(with: head), lock.suffix(tail.count).elementsEqual(tail),
            lock.count > head.count + tail.count
        else { return nil }
        return String(decoding: lock[head.count..<(lock.count - tail.count)], as: UTF8.self)
    }
}
