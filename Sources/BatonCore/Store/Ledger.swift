// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A job's ledger as a store keeps it, and what requests make of it (rule S8). Times are the store's microseconds.
package struct Ledger: Equatable, Sendable {
    /// Nil: nothing is known.
    package var entry: LedgerEntry?
    /// The largest tick that somebody remembers while the store does not know its own past. It is not an entry: behind it
    /// there may be more that nobody remembers, and is not to be caught up.
    package var floor: Int64 = 0
    /// The last run that an operator asked for.
    package var ask: Ask?

    package struct Ask: Equatable, Sendable {
        package var asked: LedgerView.Asked
        /// Which call it was.
        package var call: Bytes
        /// Whether nobody has claimed it yet.
        package var isPending: Bool

        package init(asked: LedgerView.Asked, call: Bytes, isPending: Bool) {
            self.asked = asked
            self.call = call
            self.isPending = isPending
        }
    }

    package init() {}

    package var view: LedgerView { LedgerView(entry: entry, asked: ask.flatMap { $0.isPending ? $0.asked : nil }) }

    // MARK: Position

    /// Somebody knows that everything up to this tick is settled or claimed.
    package mutating func note(floor: Int64) { self.floor = max(self.floor, floor) }

    /// In a store that knows its own past: an empty ledger is settled up to now, one that is behind up to what is known.
    ///
    /// - Parameter fence: the largest one that anybody knows of. A run with it came after all that have smaller ones: if
    ///   the entry's is smaller, it is an older copy, and what became of its run and of a wish is not known.
    /// - Returns: true when it was empty. Nothing can be claimed in it by the same request.
    package mutating func open(floor: Int64, fence: Int64, at now: Int64) -> Bool {
        note(floor: floor)
        guard let entry else {
            entry = LedgerEntry(tick: max(now / 1_000_000, self.floor), attempt: 0, fence: 0, changed: now)
            return true
        }
        if entry.fence < fence {
            advance(to: entry.tick)
            doubtWish(before: fence)
        }
        if entry.tick < self.floor { advance(to: self.floor) }
        return false
    }

    /// An older copy may have a wish that was granted since.
    private mutating func doubtWish(before fence: Int64) {
        if let id = ask?.asked.id, id <= fence { ask?.isPending = false }
    }

    /// Settles what is not to run. False when the entry is another by now, or the tick none that can be settled.
    package mutating func settle(upTo tick: Int64, expecting expected: LedgerEntry.Key?, at now: Int64) -> Bool {
        guard let entry, entry.key == expected, tick > entry.tick, Self.isDue(tick, at: now) else { return false }
        advance(to: tick)
        return true
    }

    /// What is known of the last run stays.
    private mutating func advance(to tick: Int64) {
        entry?.tick = tick
        entry?.attempt = 0
    }

    /// Whose clock is ahead does not claim tomorrow's tick: nobody could claim another until tomorrow.
    private static func isDue(_ tick: Int64, at now: Int64) -> Bool { tick * 1_000_000 <= now + 1_000_000 }

    // MARK: Claims

    /// Whether the lock may be granted with this claim.
    ///
    /// - Parameter isOurs: the lock's last grant was to this very call, whose reply was lost.
    package func admits(_ claim: LedgerClaim, isOurs: Bool, at now: Int64) -> Bool {
        (isOurs && holds(claim)) || (entry?.key == claim.expected && follows(claim, at: now))
    }

    /// Whether this claim was entered, and nobody has said how its run ended.
    private func holds(_ claim: LedgerClaim) -> Bool {
        entry?.outcome == nil && isLast(claim.entry(fence: 0, at: 0))
    }

    /// Whether the last run is this one. Its fence says so; by the rest it is known when it has none.
    private func isLast(_ run: LedgerEntry) -> Bool {
        guard let entry else { return false }
        if run.fence != 0 { return entry.fence == run.fence }
        return entry.tick == run.tick && entry.attempt == run.attempt && entry.manual == run.manual
            && entry.info == run.info
    }

    /// The next tick, the run that was asked for, or the next attempt at the last run. Of a tick that was only settled
    /// there is no attempt.
    private func follows(_ claim: LedgerClaim, at now: Int64) -> Bool {
        guard let entry else { return false }
        let isSameRun = claim.tick == entry.tick && claim.manual == entry.manual && entry.attempt >= 1
        if isSameRun, claim.attempt == entry.attempt + 1 { return true }
        guard claim.attempt == 1 else { return false }
        if let id = claim.manual { return claim.tick == entry.tick && view.asked?.id == id }
        return claim.tick > entry.tick && Self.isDue(claim.tick, at: now)
    }

    /// Enters an admitted claim with the fence that was granted. False when it is there already: only its fence follows.
    package mutating func enter(_ claim: LedgerClaim, fence: Int64, at now: Int64) -> Bool {
        if holds(claim) {
            entry?.fence = fence
            return false
        }
        entry = claim.entry(fence: fence, at: now)
        if claim.manual != nil, claim.manual == view.asked?.id { ask?.isPending = false }
        return true
    }

    // MARK: Runs

    /// What a request's end does to the history.
    package enum Line: Equatable, Sendable {
        case none
        case pushed
        /// It may be there already.
        case pushedOnce
    }

    /// The holder knows what it runs: a store that forgot it learns it again. An outcome is never overwritten.
    package mutating func learn(_ run: LedgerEntry) {
        guard isBehind(run) else { return }
        doubtWish(before: run.fence)
        entry = run
        entry?.outcome = nil
    }

    /// A run has ended, maybe long ago. Whoever holds the lock now: if the last run is this one, that was its outcome.
    package mutating func conclude(_ record: RunRecord, at now: Int64) -> Line {
        let run = record.run
        if isLast(run) {
            // Told again, because the answer was lost.
            if entry?.outcome != nil { return .none }
        } else if run.fence == 0 {
            return .none
        } else if entry == nil {
            // This is not the holder: others may have gone on since, and the empty ledger knows nothing of them.
            note(floor: run.tick)
            return .pushedOnce
        } else if isBehind(run) {
            doubtWish(before: run.fence)
            entry = run
        } else {
            return .pushedOnce
        }
        entry?.outcome = record.outcome
        entry?.changed = now
        return .pushed
    }

    private func isBehind(_ run: LedgerEntry) -> Bool {
        guard let entry else { return true }
        return (entry.tick, entry.fence) < (run.tick, run.fence)
    }

    // MARK: Operators

    /// A run is asked for, unless one is already. Returns the request that stands.
    ///
    /// - Parameter fence: the last one that was granted. What is asked for now comes after it.
    package mutating func ask(_ request: AskRequest, fence: Int64, at now: Int64) -> LedgerView.Asked {
        if let ask, ask.isPending || ask.call == request.call { return ask.asked }
        let asked = LedgerView.Asked(id: max(now, (ask?.asked.id ?? 0) + 1, fence + 1), by: request.by)
        ask = Ask(asked: asked, call: request.call, isPending: true)
        return asked
    }
}
