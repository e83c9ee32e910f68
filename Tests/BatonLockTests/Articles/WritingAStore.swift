// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import Synchronization

final class MemoryStore: LockStore {
    fileprivate struct Entry {
        var token: Bytes
        var end: Int64?
    }

    fileprivate struct State {
        var locks: [Bytes: Entry] = [:]
        var fences: [Bytes: Int64] = [:]
        var bells: [Bytes: [Doorbell]] = [:]
    }

    private let state = Mutex(State())
    private let start = ContinuousClock.now
    let waitingRoom = WaitingRoom()

    private var now: Int64 { (ContinuousClock.now - start).nanoseconds / 1000 }

    func serverTime() -> Int64? { now }

    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        if request.guarding != nil || request.heedsMarks || request.claim != nil {
            throw LockError(.refused, "no guard, no marks and no ledger here")
        }
        return state.withLock { state in
            let now = now
            return Stamped(state.reply(to: request, at: now), serverTime: now)
        }
    }

    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try state.withLock { state throws(LockError) in
            let now = now
            guard let held = state.lock(request.keys.lock, at: now), held.token == request.token else {
                return Stamped(.lost, serverTime: now)
            }
            let left: Duration
            switch request.change {
            case .reset(let whole): left = whole
            case .add(let more):
                guard let end = held.end else { return Stamped(.lost, serverTime: now) }
                left = .microseconds(end - now) + more
            }
            if left <= .zero { throw LockError(.refused, "nothing would be left") }
            state.locks[request.keys.lock] = Entry(token: held.token, end: now + left.nanoseconds / 1000)
            return Stamped(.renewed(timeToLive: left), serverTime: now)
        }
    }

    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        let bells: [Doorbell]? = state.withLock { state in
            guard state.lock(request.keys.lock, at: now)?.token == request.token else { return nil }
            state.locks[request.keys.lock] = nil
            return state.bells[request.keys.lock] ?? []
        }
        for bell in bells ?? [] { bell.ring() }
        return bells != nil
    }

    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        state.withLock { state in
            let now = now
            let held = state.lock(keys.lock, at: now)
            return LockView(
                token: held?.token, timeToLive: held?.end.map { .microseconds($0 - now) },
                fence: state.fences[keys.lock] ?? 0)
        }
    }

    func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        throw LockError(.refused, "no guard and no marks here")
    }

    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        let bell = Doorbell()
        state.withLock { $0.bells[keys.lock, default: []].append(bell) }
        defer { state.withLock { $0.bells[keys.lock]?.removeAll { $0 === bell } } }
        return try await body(bell)
    }
}

extension MemoryStore.State {
    func lock(_ key: Bytes, at now: Int64) -> MemoryStore.Entry? {
        locks[key].flatMap { ($0.end ?? .max) > now ? $0 : nil }
    }

    mutating func reply(to request: AcquireRequest, at now: Int64) -> AcquireReply {
        if let limit = request.notAfter, now > limit { return .late }
        let key = request.keys.lock
        let held = lock(key, at: now)
        let last = fences[key] ?? 0
        if let held, !request.tokenIsFresh || held.token != request.token {
            return .held(Sighting(timeToLive: held.end.map { .microseconds($0 - now) }, fence: last))
        }
        locks[key] = MemoryStore.Entry(
            token: request.token, end: request.timeout.map { now + $0.nanoseconds / 1000 })
        guard let wanted = request.fence else { return .granted(.init(fence: nil)) }
        if held == nil || last <= wanted.floor { fences[key] = max(last + 1, now, wanted.floor + 1) }
        return .granted(.init(fence: fences[key]))
    }
}
