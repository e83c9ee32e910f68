// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Synchronization

/// The pure model as a store in this process, on the machine's clock or one of the test's.
final class ModelStore: LockStore {
    private struct State {
        var model: StoreModel
        var registry = NodeRegistryModel()
        var draws = 0
        var bells: [Bytes: [Doorbell]] = [:]
    }
    private let state: Mutex<State>
    /// The server's time in microseconds.
    private let now: @Sendable () -> Int64
    /// Nil: its clock is ours.
    let clock: StoreClock?

    init(
        _ clock: StoreModel.Clock = .server, hearing storeClock: StoreClock? = nil,
        now: @escaping @Sendable () -> Int64 = { BootClock.now().nanoseconds / 1000 }
    ) {
        state = Mutex(State(model: StoreModel(clock: clock)))
        self.clock = storeClock
        self.now = now
    }

    /// What happens to it from outside.
    func change(_ body: (inout StoreModel) -> Void) { state.withLock { body(&$0.model) } }

    /// What the answer would be; nil for a refusal.
    func wouldAnswer(_ request: AcquireRequest) -> AcquireReply? {
        state.withLock { state in
            var copy = state.model
            return try? copy.acquire(request, at: StoreModel.Moment(time: now(), random: []))
        }
    }

    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply> {
        try request.check()
        return try answer { model, moment throws(StoreModel.Refusal) in try model.acquire(request, at: moment) }
    }

    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply> {
        try request.check()
        return try answer { model, moment throws(StoreModel.Refusal) in try model.renew(request, at: moment) }
    }

    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool {
        try request.check()
        return announce { $0.release(request, at: now()) }
    }

    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView {
        let question = clock?.ask()
        let time = now()
        if let question { _ = clock?.heard(time, inAnswerTo: question) }
        return state.withLock { $0.model.look(at: keys, at: time) }
    }

    func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool {
        announce { $0.restoreMark(mark, on: keys, at: now()) }
    }

    func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError) {
        _ = announce { $0.setMark(mark, on: keys, at: now()) }
    }

    func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        state.withLock { $0.model.look(at: keys, withLedger: withLedger, at: now()) }
    }

    func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        try request.check()
        return try answer { model, moment throws(StoreModel.Refusal) in model.settle(request, at: moment) }
    }

    func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        try request.check()
        let asked = try answer { model, moment throws(StoreModel.Refusal) in model.ask(request, at: moment).0 }
        for bell in state.withLock({ $0.bells[request.keys.lock] ?? [] }) { bell.ring() }
        return asked
    }

    func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        state.withLock { $0.model.history(of: keys, limit: limit) }
    }

    let waitingRoom = WaitingRoom()

    func serverTime() -> Int64? { now() }

    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result {
        let bell = Doorbell()
        state.withLock { $0.bells[keys.lock, default: []].append(bell) }
        defer { state.withLock { $0.bells[keys.lock]?.removeAll { $0 === bell } } }
        return try await body(bell)
    }

    private func answer<Reply: Sendable>(
        _ ask: (inout StoreModel, StoreModel.Moment) throws(StoreModel.Refusal) -> Reply
    ) throws(LockError) -> Stamped<Reply> {
        let question = clock?.ask()
        do {
            let answer = try state.withLock { state throws(StoreModel.Refusal) in
                state.draws += 1
                let moment = StoreModel.Moment(time: now(), random: bytes("draw \(state.draws)"))
                return Stamped(try ask(&state.model, moment), serverTime: moment.time)
            }
            guard let clock, let question else { return answer }
            return Stamped(answer.reply, at: clock.heard(answer.serverTime, inAnswerTo: question))
        } catch {
            throw LockError(.refused, "the model refuses: \(error)")
        }
    }

    /// Rings the bells of whoever listens. True when there was something to announce.
    private func announce(_ change: (inout StoreModel) -> StoreModel.Announcement?) -> Bool {
        let bells = state.withLock { state in
            change(&state.model).map { state.bells[$0.lock] ?? [] }
        }
        bells?.forEach { $0.ring() }
        return bells != nil
    }
}

extension ModelStore: NodeRegistry {
    func register(_ request: RegisterRequest, timeout: Duration) async throws(LockError) -> RegisterReply {
        try request.check()
        return state.withLock { $0.registry.register(request, at: now()) }
    }

    func unregister(_ keys: NodeKeys, instance: String, timeout: Duration) async throws(LockError) -> Bool {
        state.withLock { $0.registry.unregister(keys, instance: instance, at: now()) }
    }

    func nodes(prefix: String, timeout: Duration) async throws(LockError) -> [RegisteredNode] {
        state.withLock { $0.registry.nodes(prefix, at: now()) }
    }
}

/// A clock that goes as far as it is told.
final class SettableTime: Sendable {
    private let time = Mutex<Int64>(1_790_000_000_000_000)

    /// In microseconds.
    var now: Int64 { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 += duration.microseconds } }
}
