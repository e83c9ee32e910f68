// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Ledgers and histories of scheduled jobs (rule S8).
extension StoreModel {
    /// How many lines a history keeps.
    package static let longestHistory = 100

    /// Opens a ledger, keeps what is remembered of it, or settles ticks that are not to run.
    package mutating func settle(_ request: SettleRequest, at moment: Moment) -> LedgerView {
        let keys = request.keys
        let isUnsettled = request.guarding.map { recallPast(keys, $0, at: moment) != nil } ?? false
        let fence = max(fences[keys.fence] ?? 0, request.fence)
        if fence > 0 { fences[keys.fence] = fence }
        var ledger = ledgers[keys.ledger] ?? Ledger()
        if isUnsettled {
            ledger.note(floor: request.floor)
        } else if !ledger.open(floor: request.floor, fence: fence, at: moment.wall), let tick = request.tick,
            ledger.settle(upTo: tick, expecting: request.expected, at: moment.wall)
        {
            push(request.lines, keys)
        }
        ledgers[keys.ledger] = ledger
        return ledger.view
    }

    /// An operator asks for a run. Whoever waits for the lock is told.
    package mutating func ask(_ request: AskRequest, at moment: Moment) -> (LedgerView.Asked, Announcement) {
        let fence = fences[request.keys.fence] ?? 0
        let asked = ledgers[request.keys.ledger, default: Ledger()].ask(request, fence: fence, at: moment.wall)
        return (asked, Announcement(lock: request.keys.lock))
    }

    /// The newest lines of a history, the newest first.
    package func history(of keys: LockKeys, limit: Int) -> [Bytes] {
        Array((histories[keys.runs] ?? []).prefix(max(limit, 0)))
    }

    // MARK: With the lock

    /// What speaks against granting the lock with this claim; nil: nothing does, or nothing is claimed.
    mutating func objection(to request: AcquireRequest, isOurs: Bool, at moment: Moment) -> LedgerView? {
        guard let claim = request.claim else { return nil }
        var ledger = ledgers[request.keys.ledger] ?? Ledger()
        let fence = max(fences[request.keys.fence] ?? 0, request.fence?.floor ?? 0)
        let isNew = ledger.open(floor: claim.floor, fence: fence, at: moment.wall)
        ledgers[request.keys.ledger] = ledger
        return !isNew && ledger.admits(claim, isOurs: isOurs, at: moment.wall) ? nil : ledger.view
    }

    mutating func enter(_ claim: LedgerClaim, fence: Int64, _ keys: LockKeys, at moment: Moment) {
        if ledgers[keys.ledger]?.enter(claim, fence: fence, at: moment.wall) == true { push(claim.lines, keys) }
    }

    /// Whoever waits may never have seen the tick that this one knows of.
    mutating func note(floor: Int64, _ keys: LockKeys) {
        if floor > 0 { ledgers[keys.ledger, default: Ledger()].note(floor: floor) }
    }

    mutating func conclude(_ record: RunRecord, _ keys: LockKeys, at now: Int64) {
        let line = ledgers[keys.ledger, default: Ledger()].conclude(record, at: now)
        guard line != .none, let text = record.line else { return }
        if line == .pushedOnce, histories[keys.runs]?.contains(text) == true { return }
        push([text], keys)
    }

    private mutating func push(_ lines: [Bytes], _ keys: LockKeys) {
        if lines.isEmpty { return }
        histories[keys.runs] = Array((lines.reversed() + (histories[keys.runs] ?? [])).prefix(Self.longestHistory))
    }
}
