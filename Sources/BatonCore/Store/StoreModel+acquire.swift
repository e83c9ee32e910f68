// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension StoreModel {
    /// In this order: late, refused, unsettled, ours already, marked, held, orphaned, not by the ledger, granted.
    package mutating func acquire(_ request: AcquireRequest, at moment: Moment) throws(Refusal) -> AcquireReply {
        let (keys, now) = (request.keys, moment.time)
        // S2: late is void.
        if let notAfter = request.notAfter, now > notAfter { return .late }
        let lock = touchedLock(keys, at: now)
        // S1: the reply to a fresh token was lost.
        let isOurs = request.tokenIsFresh && lock?.token == request.token
        let fence = try fence(request, isOurs, at: moment)
        if let guarding = request.guarding, let unsettled = try settle(keys, guarding, at: moment) {
            // S7: whoever is granted first after a loss may never have seen the fence that this one knows of.
            if let floor = request.fence?.floor, floor > fences[keys.fence] ?? 0 { fences[keys.fence] = floor }
            if let floor = request.claim?.floor { note(floor: floor, keys) }
            return unsettled
        }

        if isOurs {
            if let view = objection(to: request, isOurs: true, at: moment) { return .ledger(view) }
            let holder = holders[keys.holder].flatMap { $0.token == request.token ? $0 : nil }
            return .granted(grant(request, fence, failures: holder?.failures ?? 0, at: moment))
        }
        let mark = request.heedsMarks ? marks[keys.mark]?.counted(at: now) : nil
        if let mark { marks[keys.mark] = mark }
        if let mark = standing(mark, at: now) { return .marked(mark) }
        if let lock, !isOver(lock, request) {
            var sighting = sighting(request)
            sighting.timeToLive = lock.ends.map { left(until: $0, at: now) }
            return .held(sighting)
        }
        if request.guarding != nil, let owner = owner(keys), !mayFollow(owner, request, at: now) {
            return .orphaned(sighting(request))
        }
        let wasOurs = request.guarding != nil && lock == nil && owner(keys)?.token == request.token
        if let view = objection(to: request, isOurs: wasOurs, at: moment) { return .ledger(view) }
        if mark != nil { marks[keys.mark] = nil }
        return .granted(grant(request, fence, failures: mark?.mark.failures ?? 0, at: moment))
    }

    /// S7: what the fence would be. A repeated yes has the same.
    private func fence(_ request: AcquireRequest, _ isOurs: Bool, at moment: Moment) throws(Refusal) -> Int64? {
        guard var wanted = request.fence else { return nil }
        // A wish that has been granted is told from one that has not by a fence that is larger.
        wanted.floor = max(wanted.floor, request.claim?.manual ?? 0)
        let last = fences[request.keys.fence] ?? 0
        if isOurs, last > wanted.floor { return last }
        let next = max(last + 1, moment.wall, wanted.floor + 1)
        if next > AcquireRequest.FenceRequest.largest { throw .noFenceLeft }
        return next
    }

    /// S3: a store that does not know its own past grants nothing before its nonce was waited for.
    private mutating func settle(
        _ keys: LockKeys, _ guarding: AcquireRequest.Guarding, at moment: Moment
    ) throws(Refusal) -> AcquireReply? {
        // S4: one constant per store.
        if let recorded = epochs[keys.epoch]?.maxLockTimeout, recorded != guarding.maxLockTimeout {
            throw .misfit
        }
        guard let nonce = recallPast(keys, guarding, at: moment) else { return nil }
        if guarding.nonce != nonce { return .unsettled(nonce: nonce, wait: guarding.maxLockTimeout) }
        epochs[keys.epoch]?.nonce = nil
        return nil
    }

    /// Brings the epoch record up to date: without one, or under another identity, a new wait begins (rule S3).
    ///
    /// Returns the nonce that is waited for; nil when the store is settled.
    mutating func recallPast(_ keys: LockKeys, _ guarding: AcquireRequest.Guarding, at moment: Moment) -> Bytes? {
        var epoch =
            epochs[keys.epoch]
            ?? Epoch(identity: identity, nonce: moment.random, maxLockTimeout: guarding.maxLockTimeout)
        if epoch.identity != identity {
            epoch.identity = identity
            epoch.nonce = moment.random
        }
        epochs[keys.epoch] = epoch
        return epoch.nonce
    }

    /// S6: a lease is over when it was released, or when the claimant's own clock saw it run out.
    private func mayFollow(_ owner: Owner, _ request: AcquireRequest, at now: Int64) -> Bool {
        owner.token == request.token || owner.record == request.guarding?.claim
            || (clock == .holders && owner.ends <= now)
    }

    /// S6 as well: a server whose clock was put back keeps a key for longer than the lease lasts.
    private func isOver(_ lock: Lock, _ request: AcquireRequest) -> Bool {
        guard clock == .server, let claim = request.guarding?.claim, let owner = owner(request.keys) else {
            return false
        }
        return owner.token == lock.token && owner.record == claim
    }

    private mutating func grant(
        _ request: AcquireRequest, _ fence: Int64?, failures: Int, at moment: Moment
    ) -> AcquireReply.Grant {
        let keys = request.keys
        if let fence { fences[keys.fence] = fence }
        let length = request.timeout.map { counted($0) }
        hold(keys, by: request.token, for: length, guarded: request.guarding != nil, at: moment)
        if let info = request.holder {
            holders[keys.holder] = Holder(token: request.token, info: info, failures: failures)
        }
        if let claim = request.claim, let fence { enter(claim, fence: fence, keys, at: moment) }
        return AcquireReply.Grant(fence: fence, failures: failures)
    }

    /// Under the guard the owner record is written as well, in the same step.
    mutating func hold(
        _ keys: LockKeys, by token: Bytes, for length: Duration?, guarded: Bool, at moment: Moment
    ) {
        let ends = length.map { end(of: $0, from: moment.time) }
        locks[keys.lock] = Lock(token: token, ends: ends)
        if guarded, let length, let ends {
            epochs[keys.epoch]?.owners[keys.lock] = Owner(
                token: token, record: moment.random, timeout: length, ends: ends)
        }
    }

    /// What a waiter learns: of the owner only under the guard, and nothing but the lock itself by a plain request.
    private func sighting(_ request: AcquireRequest) -> Sighting {
        let owner = request.guarding == nil ? nil : owner(request.keys)
        return Sighting(
            timeToLive: nil, owner: owner?.record, timeout: owner?.timeout,
            fence: request.isPlain ? 0 : fences[request.keys.fence] ?? 0)
    }
}
