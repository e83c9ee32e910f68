// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The nonces and owner records that model and store gave out for the same question: two names of one thing each.
struct DrawnValues {
    struct Pair: Equatable {
        let model: Bytes
        let store: Bytes
    }
    private var nonces: [Bytes: [Pair]] = [:]
    private var owners: [Bytes: [Pair]] = [:]

    /// Remembers what the answers show. False when one of a pair was seen with another before.
    mutating func pair(_ model: StoreAnswer, _ store: StoreAnswer, about operation: StoreOperation) -> Bool {
        guard case .acquire(let step) = operation else { return true }
        let (ours, theirs) = (model.drawn, store.drawn)
        return Self.remember(ours.nonce, theirs.nonce, &nonces[step.place.keys.epoch, default: []])
            && Self.remember(ours.owner, theirs.owner, &owners[step.place.keys.lock, default: []])
    }

    func nonce(_ presented: StoreOperation.Presented, _ keys: LockKeys) -> Pair? {
        Self.pick(presented, nonces[keys.epoch] ?? [])
    }

    func owner(_ presented: StoreOperation.Presented, _ keys: LockKeys) -> Pair? {
        Self.pick(presented, owners[keys.lock] ?? [])
    }

    /// The store's answer in the model's words.
    func translated(_ answer: StoreAnswer) -> StoreAnswer {
        let known: [Pair] = Array(nonces.values.joined()) + Array(owners.values.joined())
        func model(_ store: Bytes) -> Bytes { known.first { $0.store == store }?.model ?? store }
        switch answer {
        case .acquire(.unsettled(let nonce, let wait)): return .acquire(.unsettled(nonce: model(nonce), wait: wait))
        case .acquire(.held(var sighting)):
            sighting.owner = sighting.owner.map(model)
            return .acquire(.held(sighting))
        case .acquire(.orphaned(var sighting)):
            sighting.owner = sighting.owner.map(model)
            return .acquire(.orphaned(sighting))
        case .acquire, .renew, .released, .view, .ledger, .asked, .lines, .done, .refused: return answer
        }
    }

    private static func remember(_ model: Bytes?, _ store: Bytes?, _ pairs: inout [Pair]) -> Bool {
        guard let model, let store else { return model == nil && store == nil }
        let pair = Pair(model: model, store: store)
        if pairs.contains(pair) { return true }
        if pairs.contains(where: { $0.model == model || $0.store == store }) { return false }
        pairs.append(pair)
        return true
    }

    private static func pick(_ presented: StoreOperation.Presented, _ pairs: [Pair]) -> Pair? {
        switch presented {
        case .nothing: nil
        case .newest: pairs.last
        case .older: pairs.dropLast().last
        case .wrong: Pair(model: bytes("wrong"), store: bytes("wrong"))
        }
    }
}
