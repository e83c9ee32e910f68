// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// What a step's words mean at the moment when it is asked: the same for store and model, but for the drawn values.
struct RequestContext {
    /// The server's time, and the wall clock's, when the step began.
    let now: Int64
    let wall: Int64
    let model: StoreModel
    let draws: DrawnValues
    let limit: Duration

    /// The store's answer, and the time that it was stamped with.
    func ask(
        _ store: any LockStore, _ operation: StoreOperation
    ) async throws -> (answer: StoreAnswer, stamp: Int64?) {
        do throws(LockError) {
            switch operation {
            case .acquire(let step):
                let answer = try await store.acquire(request(step, \.store), timeout: patience)
                return (.acquire(answer.reply), answer.serverTime)
            case .renew(let step):
                let answer = try await store.renew(request(step), timeout: patience)
                return (.renew(answer.reply), answer.serverTime)
            case .release(let step):
                return (.released(try await store.release(request(step), timeout: patience)), nil)
            case .look(let place): return (.view(try await store.look(at: place.keys, timeout: patience)), nil)
            case .setMark(let mark, let place):
                try await store.setMark(mark, on: place.keys, timeout: patience)
                return (.done, nil)
            case .restoreMark(let mark, let place):
                return (.released(try await store.restoreMark(mark, on: place.keys, timeout: patience)), nil)
            case .settle(let step):
                let answer = try await store.settle(request(step), timeout: patience)
                return (.ledger(answer.reply), answer.serverTime)
            case .ask(let place, let call):
                let answer = try await store.ask(wish(place, call), timeout: patience)
                return (.asked(answer.reply), answer.serverTime)
            case .lookAtLedger(let place):
                return (.view(try await store.look(at: place.keys, withLedger: true, timeout: patience)), nil)
            case .history(let place, let limit):
                return (.lines(try await store.history(of: place.keys, limit: limit, timeout: patience)), nil)
            case .pass, .passNextEnd, .forgetEverything, .deleteLock, .deleteLedger, .movePosition, .restart:
                return (.done, nil)
            }
        } catch {
            guard error.code == .refused else { throw error }
            return (.refused, nil)
        }
    }

    func ask(_ model: inout StoreModel, _ operation: StoreOperation, at moment: StoreModel.Moment) -> StoreAnswer {
        do {
            switch operation {
            case .acquire(let step): return .acquire(try model.acquire(request(step, \.model), at: moment))
            case .renew(let step): return .renew(try model.renew(request(step), at: moment))
            case .release(let step):
                return .released(model.release(request(step), at: moment.time, wall: moment.wall) != nil)
            case .look(let place): return .view(model.look(at: place.keys, at: moment.time))
            case .setMark(let mark, let place):
                model.setMark(mark, on: place.keys, at: moment.time)
                return .done
            case .restoreMark(let mark, let place):
                return .released(model.restoreMark(mark, on: place.keys, at: moment.time) != nil)
            case .settle(let step): return .ledger(model.settle(request(step), at: moment))
            case .ask(let place, let call): return .asked(model.ask(wish(place, call), at: moment).0)
            case .lookAtLedger(let place): return .view(model.look(at: place.keys, withLedger: true, at: moment.time))
            case .history(let place, let limit): return .lines(model.history(of: place.keys, limit: limit))
            case .pass, .passNextEnd, .forgetEverything, .deleteLock, .deleteLedger, .movePosition, .restart:
                return .done
            }
        } catch {
            return .refused
        }
    }

    private func request(
        _ step: StoreOperation.Acquire, _ side: KeyPath<DrawnValues.Pair, Bytes>
    ) -> AcquireRequest {
        let keys = step.place.keys
        var request = AcquireRequest(
            keys: keys, token: token(step.token, at: step.place), tokenIsFresh: step.isFresh, timeout: step.timeout)
        request.notAfter = step.notAfter.map { now + $0.microseconds }
        request.guarding = step.guarding.map { guarding in
            AcquireRequest.Guarding(
                nonce: draws.nonce(guarding.nonce, keys)?[keyPath: side],
                claim: draws.owner(guarding.claim, keys)?[keyPath: side],
                maxLockTimeout: guarding.isMisfit ? limit * 2 : limit)
        }
        request.fence = step.fence.map { .init(floor: value(of: $0, keys)) }
        request.holder = step.holder.map { bytes($0) }
        request.heedsMarks = step.heedsMarks
        request.claim = step.claim.map { claim($0, keys) }
        return request
    }

    private func request(_ step: StoreOperation.Renew) -> RenewRequest {
        var request = RenewRequest(keys: step.place.keys, token: token(step.token, at: step.place), change: step.change)
        request.notAfter = step.notAfter.map { now + $0.microseconds }
        request.guarding = step.isGuarded ? .init(maxLockTimeout: limit) : nil
        request.successor = step.successor.map { .init(token: bytes($0), holder: bytes("adopted")) }
        request.fence = value(of: step.fence, step.place.keys)
        request.holder = step.holder.map { bytes($0) }
        request.ledger = step.ledger.map { run($0, step.place.keys) }.map { $0.fence == 0 ? $0.with(\.fence, 1) : $0 }
        return request
    }

    private func request(_ step: StoreOperation.Release) -> ReleaseRequest {
        ReleaseRequest(
            keys: step.place.keys, token: token(step.token, at: step.place), mark: step.mark, guarding: step.isGuarded,
            outcome: step.outcome.map { record($0, step.place.keys) })
    }

    private func wish(_ place: StoreOperation.Place, _ call: String) -> AskRequest {
        AskRequest(keys: place.keys, by: "by \(call)", call: bytes(call))
    }

    private func token(_ name: String, at place: StoreOperation.Place) -> Bytes {
        name == StoreOperation.holder ? model.look(at: place.keys, at: now).token ?? bytes("a") : bytes(name)
    }

    func value(of fence: StoreOperation.Fence, _ keys: LockKeys) -> Int64 {
        switch fence {
        case .unknown: 0
        case .last: model.look(at: keys, at: now).fence
        case .ahead(let distance): wall + distance.microseconds
        }
    }
}
