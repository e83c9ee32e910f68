// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A node without a run of a scheduled job: it knows the job's ledger, waits for ticks, and competes for the lock with the
/// claim of one (rule S8). It is over when the lock is granted.
///
/// Each action but `wait` has one event as its answer; `rang` and `woke` may come at any time.
package struct TickMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        case began
        /// Something may have changed: an announcement, a new connection, the store's clock.
        case rang
        /// The ledger, as the store answered.
        case saw(LedgerView)
        /// The store did not answer, or could not.
        case failed(jitter: Double)
        /// The claim was not decided on in time.
        case timeUp
        case woke
    }

    package enum Action: Equatable, Sendable {
        /// Send a ``SettleRequest`` that expects this entry, with the floors of this node: up to the tick, or none.
        case settle(LedgerEntry.Key?, upTo: Int64?, [TickPlan.Omission])
        /// Compete with this claim, which expects that entry, until then (nil: for ever).
        case claim(TickPlan.Turn, LedgerEntry.Key?, until: Instant?)
        case wait(until: Instant)
    }

    private enum State: Equatable, Sendable {
        case waiting
        case settling
        case claiming
    }

    private let planner: TickPlanner
    private let node: String
    /// How long a store may grant a lock for: within it, one that forgot is told what this node remembers.
    private let maxLockTimeout: Duration
    private let upSince: Instant
    private var view: LedgerView?
    private var state = State.waiting
    /// What was asked for would have made the ledger another.
    private var wantsChange = false
    /// The bell rang while the store was asked.
    private var isStale = false
    /// Until then the store is not asked again, because it did not answer.
    private var restsUntil: Instant?
    private var failures = 0
    /// When what this node remembers is said again.
    private var tellAt: Instant?
    /// Whether it waits for a tick, not for a store that does not answer.
    package var isIdle: Bool { state == .waiting && restsUntil == nil }
    /// The next tick, in seconds: for people.
    package private(set) var nextTick: Int64?
    /// What it waits for, in microseconds of the store's clock; nil: a change of the ledger.
    private var moment: Int64?

    /// When the job is to be looked at again, if nothing is to be done for so long that nobody need wait for it until
    /// then: in microseconds of the store's clock. `Int64.max`: when its ledger changes. Nil: this is to go on.
    ///
    /// What was learned so far may be forgotten: whoever looks then learns it again.
    ///
    /// - Parameters:
    ///   - time: the store's, in microseconds.
    ///   - early: how long before there is something to do it is to be looked at; up to twice as long, so that not all
    ///     jobs of a full hour are looked at at once. A wait that is not twice as long as that is no long one.
    package func dormantUntil(time: Int64?, early: Duration = .seconds(5)) -> Int64? {
        guard isIdle, tellAt == nil, view != nil, let time else { return nil }
        guard let moment else { return .max }
        let early = early.microseconds
        if moment - time < 4 * early { return nil }
        return moment - early - Int64(StableHash.number(of: planner.job, below: Int(early)))
    }

    /// - Parameter upSince: when this node began to look after the job.
    package init(
        _ planner: TickPlanner, node: String, maxLockTimeout: Duration, upSince: Instant
    ) {
        self.planner = planner
        self.node = node
        self.maxLockTimeout = maxLockTimeout
        self.upSince = upSince
    }

    /// - Parameters:
    ///   - time: the store's time by which ticks are due, in microseconds; nil: not known yet.
    ///   - floor: the largest tick that this node knows to be settled or claimed.
    package mutating func handle(_ event: Event, time: Int64?, floor: Int64, at now: Instant) -> Action? {
        switch (state, event) {
        case (.waiting, .began): return look()
        case (.waiting, .rang):
            // One that does not answer is not asked more often because it comes and goes.
            if let restsUntil, now < restsUntil { return .wait(until: restsUntil) }
            return look()
        case (.waiting, .woke):
            if let restsUntil, now < restsUntil { return .wait(until: restsUntil) }
            if restsUntil != nil { return look() }
            if let tellAt, now >= tellAt { return look() }
            return decide(time, floor, at: now)
        case (.settling, .rang), (.claiming, .rang):
            isStale = true
            return nil
        case (.settling, .saw(let view)), (.claiming, .saw(let view)):
            let isRefused = wantsChange && view == self.view
            self.view = view
            failures = 0
            restsUntil = nil
            let isTold = state == .settling
            state = .waiting
            if isStale { return look() }
            // Said to a store that may have lost its data a moment ago; later its clock is beyond what it could repeat.
            if isTold { tellAt = floor * 1_000_000 > (time ?? 0) ? now + maxLockTimeout / 2 : nil }
            // By the store's clock it is too early, say.
            if isRefused || (view.entry == nil && !isTold) { return rest(until: now + .seconds(1)) }
            return decide(time, floor, at: now)
        case (.settling, .failed(let jitter)), (.claiming, .failed(let jitter)):
            failures += 1
            let backOff = min(Duration.milliseconds(50) * (1 << min(failures, 6)), .seconds(1))
            state = .waiting
            return rest(until: now + backOff * (0.5 + jitter / 2))
        case (.claiming, .timeUp):
            state = .waiting
            return isStale ? look() : decide(time, floor, at: now)
        case (.settling, .woke), (.claiming, .woke): return nil
        case (.waiting, .saw), (.waiting, .failed), (.waiting, .timeUp), (.settling, .began), (.settling, .timeUp),
            (.claiming, .began):
            preconditionFailure("\(event) answers nothing that was asked for")
        }
    }

    private mutating func rest(until instant: Instant) -> Action {
        restsUntil = instant
        return .wait(until: instant)
    }

    private mutating func look() -> Action {
        begin(.settling, wantsChange: false)
        return .settle(nil, upTo: nil, [])
    }

    private mutating func begin(_ state: State, wantsChange: Bool) {
        self.state = state
        self.wantsChange = wantsChange
        isStale = false
        restsUntil = nil
    }

    /// What the ledger asks for.
    private mutating func decide(_ time: Int64?, _ floor: Int64, at now: Instant) -> Action {
        // The answer to a look brings it.
        guard let view, let time else { return look() }
        nextTick = view.entry.flatMap { planner.settings.schedule.next(after: $0.tick) }
        let since = time - (now - upSince).microseconds
        switch planner.plan(view, upSince: since, handicap: retryHandicap(view), at: time) {
        case .open:
            // Nothing can be claimed in it. But who competes waits until the store knows its own past, and then it is opened.
            begin(.claiming, wantsChange: true)
            return .claim(.init(tick: time / 1_000_000, attempt: 1, omissions: []), nil, until: nil)
        case .wait(let until):
            moment = until
            return .wait(until: instant(of: until, time, at: now))
        case .settle(let tick, let omissions):
            begin(.settling, wantsChange: true)
            return .settle(view.entry?.key, upTo: tick, omissions)
        case .claim(let turn):
            begin(.claiming, wantsChange: true)
            let until = turn.validUntil.map { now + max(.microseconds($0 - time), .milliseconds(500)) }
            return .claim(turn, view.entry?.key, until: until)
        }
    }

    /// What came to nothing here is left to others first.
    private func retryHandicap(_ view: LedgerView) -> Duration {
        guard planner.settings.retry.elsewhere, let entry = view.entry, entry.outcome != nil,
            HolderRecord(decoding: entry.info)?.node == node
        else { return .zero }
        return .seconds(2)
    }

    /// No wait is longer than this, so that a clock that was set is not noticed much too late.
    private static let longestWait = Duration.seconds(300)

    private func instant(of moment: Int64?, _ time: Int64, at now: Instant) -> Instant {
        let longest = now + Self.longestWait
        let due = moment.map { now + .microseconds(max(1000, min($0 - time, 1_000_000_000))) } ?? longest
        return min(due, longest, tellAt ?? longest)
    }
}
