// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Decides what is to be done about the ticks of one job.
package struct TickPlanner: Equatable, Sendable {
    package let job: String
    package let settings: ScheduleSettings
    /// How long a tick is left to nodes that were up when it was due, by one that was not.
    package let grace: Duration

    package init(job: String, settings: ScheduleSettings, grace: Duration = .seconds(5)) {
        self.job = job
        self.settings = settings
        self.grace = grace
    }

    /// - Parameters:
    ///   - upSince: the store's time when this node began to look after the job.
    ///   - handicap: how much later than others this node tries again what came to nothing here.
    ///   - now: the store's time, in microseconds.
    package func plan(_ view: LedgerView, upSince: Int64, handicap: Duration = .zero, at now: Int64) -> TickPlan {
        guard let entry = view.entry else { return .open }
        let lost = entry.attempt > 0 && entry.outcome == nil ? [TickPlan.Omission.lost(entry)] : []
        let nextDue = settings.schedule.next(after: entry.tick).map(due)
        if let asked = view.asked {
            return .claim(.init(tick: entry.tick, attempt: 1, manual: asked.id, omissions: lost))
        }
        if let again = retry(of: entry, handicap, at: now) {
            if now < again { return .wait(until: again) }
            return .claim(
                .init(
                    tick: entry.tick, attempt: entry.attempt + 1, manual: entry.manual, omissions: lost,
                    validUntil: nextDue))
        }
        guard let nextDue, nextDue <= now else { return .wait(until: nextDue) }
        // One that was given back before it began is as good as unclaimed.
        let pending = (isWithdrawn(entry) ? [entry.tick] : []) + pending(after: entry.tick, at: now)
        // A jitter longer than the time between ticks mixes them up.
        if pending.isEmpty { return .wait(until: now + 1_000_000) }
        return plan(for: pending, entry, lost, upSince, now)
    }

    /// When a tick is due, by the store's clock in microseconds.
    package func due(_ tick: Int64) -> Int64 {
        tick * 1_000_000 + settings.delay(ofTick: tick, job: job).microseconds
    }

    /// Whether the last run's tick is to be tried again, now or later.
    package func triesAgain(_ entry: LedgerEntry, at now: Int64) -> Bool { retry(of: entry, .zero, at: now) != nil }

    /// When the last run's tick is tried again; nil: it is not, or not any more: then the next one is due before. What an
    /// operator asked for is tried again all the same.
    private func retry(of entry: LedgerEntry, _ handicap: Duration, at now: Int64) -> Int64? {
        guard let again = retryDue(entry, handicap) else { return nil }
        if entry.manual != nil { return again }
        guard let nextDue = dueAfter(entry.tick) else { return again }
        return again < nextDue && now < nextDue ? again : nil
    }

    /// When the last run's tick would be tried again; nil: its end is none that is.
    private func retryDue(_ entry: LedgerEntry, _ handicap: Duration) -> Int64? {
        guard entry.attempt > 0 else { return nil }
        // A word of a later version is no reason to run anything.
        guard let ending = entry.outcome.map({ RunEnding($0) }) ?? .lost else { return nil }
        if ending == .withdrawn { return entry.changed }
        guard entry.manual == nil, entry.attempt < settings.retry.attempts,
            let reason = RetrySettings.Reason(rawValue: ending.rawValue), settings.retry.reasons.contains(reason)
        else { return nil }
        return entry.changed + (settings.retry.delay + handicap).microseconds
    }

    /// The ticks that are due: of very many the latest.
    private func pending(after position: Int64, at now: Int64) -> [Int64] {
        var ticks = settings.schedule.ticks(after: position, through: now / 1_000_000, limit: Self.mostCounted)
        while let last = ticks.last, due(last) > now { ticks.removeLast() }
        return ticks
    }

    /// So many are looked at one by one: a job of every second that was forgotten for a year has thirty million.
    static let mostCounted = 1000
    /// Of more than this only the latest are caught up.
    static let mostCaughtUp = 100

    private func plan(
        for pending: [Int64], _ entry: LedgerEntry, _ lost: [TickPlan.Omission], _ upSince: Int64, _ now: Int64
    ) -> TickPlan {
        let overlapped = Set(pending.filter { isOverlapped($0, by: entry) })
        let candidates = candidates(pending, overlapped, at: now)
        let chosen: Int64?
        switch settings.catchUp {
        case .all: chosen = candidates.suffix(Self.mostCaughtUp).first
        case .last: chosen = candidates.last
        case .none:
            chosen = candidates.last { due($0) >= upSince || overlapped.contains($0) }
            // Others may have been up when it was due, and be about to claim it.
            if chosen == nil, let newest = candidates.last {
                let left = due(newest) + grace.microseconds
                if now < left { return .wait(until: min(left, dueAfter(newest) ?? left)) }
            }
        }
        let passedOver = pending.prefix { $0 < chosen ?? .max }
        let omissions = lost + omissions(passedOver, overlapped, of: pending)
        guard let chosen else { return .settle(pending.last ?? entry.tick, omissions) }
        let limit = settings.startDeadline.map { due(chosen) + $0.microseconds }
        let validUntil = [limit, pending.last.flatMap(dueAfter)].compactMap { $0 }.min()
        let attempt = chosen == entry.tick ? entry.attempt + 1 : 1
        return .claim(.init(tick: chosen, attempt: attempt, omissions: omissions, validUntil: validUntil))
    }

    private func isWithdrawn(_ entry: LedgerEntry) -> Bool {
        entry.attempt > 0 && entry.manual == nil && entry.outcome.map { RunEnding($0) } == .withdrawn
    }

    /// Whether a tick was due while the last run went on. A fence is the store's time when it was granted, or a little more.
    private func isOverlapped(_ tick: Int64, by entry: LedgerEntry) -> Bool {
        let due = due(tick)
        return entry.attempt > 0 && entry.outcome != nil && entry.fence < due && due <= entry.changed
    }

    /// Those that may run at all.
    private func candidates(_ pending: [Int64], _ overlapped: Set<Int64>, at now: Int64) -> [Int64] {
        var candidates = pending.filter { !overlapped.contains($0) }
        switch settings.overlap {
        case .skip: break
        case .queue where settings.catchUp == .all: candidates = pending
        case .queue, .replace: if candidates.isEmpty { candidates = pending.suffix(1) }
        }
        if let limit = settings.startDeadline { candidates.removeAll { now - due($0) > limit.microseconds } }
        return candidates
    }

    /// What becomes of ticks that have no run, in their order.
    private func omissions(
        _ passedOver: ArraySlice<Int64>, _ overlapped: Set<Int64>, of pending: [Int64]
    ) -> [TickPlan.Omission] {
        var omissions: [TickPlan.Omission] = []
        var rest = passedOver
        while let first = rest.first {
            let isSkipped = overlapped.contains(first)
            let alike = rest.prefix { overlapped.contains($0) == isSkipped }
            rest = rest.dropFirst(alike.count)
            guard let ticks = ticks(alike, of: pending) else { break }
            omissions.append(isSkipped ? .skipped(ticks) : .missed(ticks))
        }
        return omissions
    }

    /// When the tick after this one is due; nil: there is none.
    package func dueAfter(_ tick: Int64) -> Int64? { settings.schedule.next(after: tick).map(due) }

    private func ticks(_ ticks: ArraySlice<Int64>, of pending: [Int64]) -> TickPlan.Ticks? {
        guard let first = ticks.first, let last = ticks.last else { return nil }
        return .init(
            first: first, last: last, count: ticks.count,
            isAll: first != pending.first || pending.count < Self.mostCounted)
    }
}
