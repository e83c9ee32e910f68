// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension StoreModel {
    /// Renews, extends, puts back a vanished lock, or swaps its token (rule N3).
    ///
    /// A token that is neither the holder's nor its successor's never renews; with a successor the same request asked
    /// twice is answered alike.
    package mutating func renew(_ request: RenewRequest, at moment: Moment) throws(Refusal) -> RenewReply {
        // One that is refused changes nothing.
        var next = self
        let reply = try next.renewed(request, at: moment)
        self = next
        return reply
    }

    private mutating func renewed(_ request: RenewRequest, at moment: Moment) throws(Refusal) -> RenewReply {
        let (keys, now) = (request.keys, moment.time)
        let heir = request.successor?.token ?? request.token
        let isUnsettled = request.guarding.map { recallPast(keys, $0, at: moment) != nil } ?? false

        let remaining: Duration
        if let lock = touchedLock(keys, at: now) {
            // S5: a no by a store that does not know its own past is not a loss.
            guard lock.token == request.token || lock.token == heir else { return isUnsettled ? .unsettled : .lost }
            if lock.ends == nil, case .add = request.change { return .lost }
            remaining = lock.ends.map { left(until: $0, at: now) } ?? .zero
        } else {
            // S6: the lock's key is gone, but not the lease: until `notAfter` its owner puts it back.
            guard request.guarding != nil, let notAfter = request.notAfter, now <= notAfter else {
                return isUnsettled ? .unsettled : .lost
            }
            let owner = owner(keys)?.token
            guard isUnsettled || owner == request.token || owner == heir else { return .lost }
            remaining = elapsed(notAfter - now)
        }

        let length =
            switch request.change {
            case .reset(let whole): counted(whole)
            case .add(let more): remaining + counted(more)
            }
        if length <= .zero { throw .nothingLeft }
        if request.guarding != nil, let most = epochs[keys.epoch]?.maxLockTimeout, length > most { throw .excess }

        hold(keys, by: heir, for: length, guarded: request.guarding != nil, at: moment)
        // S7: a store that lost its data learns the fence again.
        if request.fence > fences[keys.fence] ?? 0 { fences[keys.fence] = request.fence }
        if let run = request.ledger { ledgers[keys.ledger, default: Ledger()].learn(run) }
        if let info = request.successor?.holder ?? request.holder, holders[keys.holder]?.token != heir {
            let before = holders[keys.holder].flatMap { $0.token == request.token ? $0 : nil }
            holders[keys.holder] = Holder(token: heir, info: info, failures: before?.failures ?? 0)
        }
        return .renewed(timeToLive: length)
    }
}
