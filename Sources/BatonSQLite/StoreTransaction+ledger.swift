// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock

/// Ledgers and histories of scheduled jobs (rule S8). What requests make of a ledger is ``Ledger``'s; ticks are due by the
/// machine's wall clock.
extension StoreTransaction {
    /// Opens a ledger, keeps what is remembered of it, or settles ticks that are not to run.
    func settle(_ request: SettleRequest) throws -> LedgerView {
        let keys = request.keys
        let isUnsettled = try request.guarding.map { try epoch(keys.epoch, guarding: $0).nonce != nil } ?? false
        if request.fence > 0 { try raiseFence(keys.fence, to: request.fence) }
        let fence = try lastFence(keys.fence)
        var ledger = try ledger(keys)
        if isUnsettled {
            ledger.note(floor: request.floor)
        } else if !ledger.open(floor: request.floor, fence: fence, at: wallMicroseconds), let tick = request.tick,
            ledger.settle(upTo: tick, expecting: request.expected, at: wallMicroseconds)
        {
            try push(request.lines, keys)
        }
        try write(ledger, keys)
        return ledger.view
    }

    /// An operator asks for a run.
    mutating func ask(_ request: AskRequest) throws -> LedgerView.Asked {
        var ledger = try ledger(request.keys)
        let asked = ledger.ask(request, fence: try lastFence(request.keys.fence), at: wallMicroseconds)
        try write(ledger, request.keys)
        try announce(request.keys)
        return asked
    }

    /// The newest lines of a history, the newest first.
    func history(of keys: LockKeys, limit: Int) throws -> [Bytes] {
        var lines: [Bytes] = []
        try database.each(
            "SELECT line FROM history WHERE key = ? ORDER BY number DESC LIMIT ?", keys.runs, Int64(limit)
        ) {
            lines.append($0.bytes(0) ?? [])
        }
        return lines
    }

    // MARK: With the lock

    /// What speaks against granting the lock with this claim; nil: nothing does, or nothing is claimed.
    ///
    /// - Parameter isOurs: the lock's last grant was to this very call, whose reply was lost.
    func objection(to request: AcquireRequest, isOurs: Bool) throws -> LedgerView? {
        guard let claim = request.claim else { return nil }
        var ledger = try ledger(request.keys)
        let before = ledger
        let fence = max(try lastFence(request.keys.fence), request.fence?.floor ?? 0)
        let isNew = ledger.open(floor: claim.floor, fence: fence, at: wallMicroseconds)
        if ledger != before { try write(ledger, request.keys) }
        return !isNew && ledger.admits(claim, isOurs: isOurs, at: wallMicroseconds) ? nil : ledger.view
    }

    func enter(_ claim: LedgerClaim, fence: Int64, _ keys: LockKeys) throws {
        var ledger = try ledger(keys)
        if ledger.enter(claim, fence: fence, at: wallMicroseconds) { try push(claim.lines, keys) }
        try write(ledger, keys)
    }

    /// Whoever waits may never have seen the tick that this one knows of.
    func note(floor: Int64, _ keys: LockKeys) throws {
        var ledger = try ledger(keys)
        if floor <= ledger.floor { return }
        ledger.note(floor: floor)
        try write(ledger, keys)
    }

    func learn(_ run: LedgerEntry, _ keys: LockKeys) throws {
        var ledger = try ledger(keys)
        let before = ledger
        ledger.learn(run)
        if ledger != before { try write(ledger, keys) }
    }

    func conclude(_ record: RunRecord, _ keys: LockKeys) throws {
        var ledger = try ledger(keys)
        let before = ledger
        let effect = ledger.conclude(record, at: wallMicroseconds)
        if ledger != before { try write(ledger, keys) }
        guard effect != .none, let line = record.line else { return }
        if effect == .pushedOnce, try history(of: keys, limit: StoreModel.longestHistory).contains(line) { return }
        try push([line], keys)
    }

    // MARK: Rows

    /// An entry that was spoilt reads as none.
    func ledger(_ keys: LockKeys) throws -> Ledger {
        var ledger = Ledger()
        try database.each(
            """
            SELECT tick, attempt, manual, fence, changed, outcome, info, floor, asked, asker, call, pending
            FROM ledger WHERE key = ?
            """, keys.ledger
        ) { row in
            ledger.entry = LedgerEntry(row)
            ledger.floor = max(row.number(7) ?? 0, 0)
            if let id = row.number(8), let by = row.text(9), let call = row.bytes(10) {
                ledger.ask = Ledger.Ask(
                    asked: LedgerView.Asked(id: id, by: by), call: call, isPending: row.number(11) == 1)
            }
        }
        return ledger
    }

    private func write(_ ledger: Ledger, _ keys: LockKeys) throws {
        let (entry, ask) = (ledger.entry, ledger.ask)
        try database.run(
            """
            INSERT OR REPLACE INTO ledger
            (key, tick, attempt, manual, fence, changed, outcome, info, floor, asked, asker, call, pending)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, keys.ledger, entry?.tick, entry.map { Int64($0.attempt) }, entry?.manual, entry?.fence, entry?.changed,
            entry?.outcome, entry?.info, ledger.floor, ask?.asked.id, ask?.asked.by, ask?.call,
            ask.map { $0.isPending ? Int64(1) : 0 })
    }

    private func push(_ lines: [Bytes], _ keys: LockKeys) throws {
        for line in lines {
            try database.run(
                """
                INSERT INTO history (key, number, line)
                VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM history WHERE key = ?1), ?2)
                """, keys.runs, line)
        }
        if lines.isEmpty { return }
        try database.run(
            "DELETE FROM history WHERE key = ?1 AND number <= (SELECT max(number) FROM history WHERE key = ?1) - ?2",
            keys.runs, Int64(StoreModel.longestHistory))
    }
}

extension LedgerEntry {
    /// Nil when the row's first columns are no entry, or no sound one.
    fileprivate init?(_ row: Columns) {
        guard let tick = row.number(0), let attempt = row.number(1), let fence = row.number(3),
            let changed = row.number(4), let info = row.bytes(6), row.isNull(2) || row.number(2) != nil
        else { return nil }
        self.init(
            tick: tick, attempt: Int(attempt), manual: row.number(2), fence: fence, changed: changed,
            outcome: row.bytes(5), info: info)
        if !isSound { return nil }
    }
}
