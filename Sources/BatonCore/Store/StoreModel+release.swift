// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Releases, marks and looks, and what can happen to a store from outside.
extension StoreModel {
    /// What everyone who waits for a lock is told (rule S9): ask again.
    package struct Announcement: Equatable, Sendable {
        /// The lock's key.
        package var lock: Bytes
    }

    /// Ours is a lock with our token or, under the guard, a vanished one that we never released. Nil: not ours, and
    /// nobody is told.
    ///
    /// - Parameter wall: as ``Moment`` has it; nil: the server has but one clock.
    package mutating func release(_ request: ReleaseRequest, at now: Int64, wall: Int64? = nil) -> Announcement? {
        let (keys, token) = (request.keys, request.token)
        if let record = request.outcome { conclude(record, keys, at: wall ?? now) }
        let lock = touchedLock(keys, at: now)
        let isOwner = request.guarding && owner(keys)?.token == token
        if lock?.token == token { locks[keys.lock] = nil }
        if request.guarding {
            if isOwner || lock?.token == token { epochs[keys.epoch]?.owners[keys.lock] = nil }
            if holders[keys.holder]?.token == token { holders[keys.holder] = nil }
        }
        guard lock?.token == token || (lock == nil && isOwner) else { return nil }
        // It was about this run.
        if request.guarding, marks[keys.mark]?.mark.kind == .runEnded { marks[keys.mark] = nil }
        // What an operator said stays in force.
        if let mark = request.mark, marks[keys.mark]?.mark.kind.givesWay(to: mark.kind) ?? true {
            return setMark(mark, on: keys, at: now)
        }
        return Announcement(lock: keys.lock)
    }

    /// Sets the mark, or clears it: then one that is over stays in its place until the next grant, so that nobody who
    /// remembers the one before puts it back.
    @discardableResult
    package mutating func setMark(_ mark: Mark?, on keys: LockKeys, at now: Int64) -> Announcement {
        let mark = mark ?? Mark.cleared
        marks[keys.mark] = MarkRecord(
            mark: mark, ends: mark.remaining.map { now + max(0, $0.microseconds) }, begins: now)
        return Announcement(lock: keys.lock)
    }

    /// Sets a mark that somebody remembers, if the store has none and does not know its own past. Nil: it was not set.
    package mutating func restoreMark(_ mark: Mark, on keys: LockKeys, at now: Int64) -> Announcement? {
        let isSettled = epochs[keys.epoch].map { $0.identity == identity && $0.nonce == nil } ?? false
        if isSettled || marks[keys.mark] != nil { return nil }
        // What runs was started after that mark was cleared.
        if mark.outlivesNoRun, lock(keys, at: now) != nil { return nil }
        return setMark(mark, on: keys, at: now)
    }

    /// A lock and its companions, all of one instant.
    ///
    /// - Parameter withLedger: whether it is a job that has one.
    package func look(at keys: LockKeys, withLedger: Bool = false, at now: Int64) -> LockView {
        let (lock, holder) = (lock(keys, at: now), holders[keys.holder])
        return LockView(
            token: lock?.token, timeToLive: lock?.ends.map { left(until: $0, at: now) }, holder: holder?.info,
            holderToken: holder?.token, fence: fences[keys.fence] ?? 0, mark: standing(marks[keys.mark], at: now),
            ledger: withLedger ? ledgers[keys.ledger, default: Ledger()].view : nil)
    }

    // MARK: What happens to a store

    /// It was flushed, or came back without its data.
    package mutating func forgetEverything() {
        self = StoreModel(clock: clock, identity: identity)
    }

    /// The lock's own key went away without a release: evicted, or deleted by hand. Its companions stay.
    package mutating func forgetLock(_ keys: LockKeys) {
        locks[keys.lock] = nil
    }

    /// The epoch record went away, and with it who holds which lock: evicted, or deleted by hand.
    package mutating func forgetEpoch(_ keys: LockKeys) {
        epochs[keys.epoch] = nil
    }

    /// The ledger went away, with what was asked for; the history stays.
    package mutating func forgetLedger(_ keys: LockKeys) {
        ledgers[keys.ledger] = nil
    }

    /// The ledger's position became another: an older copy of it came back, or somebody wrote to it.
    package mutating func movePosition(_ keys: LockKeys, to tick: Int64) {
        ledgers[keys.ledger]?.entry?.tick = tick
    }

    /// It came back with its data, or a copy of it was promoted: another identity.
    package mutating func restart(as identity: Bytes) {
        self.identity = identity
    }
}
