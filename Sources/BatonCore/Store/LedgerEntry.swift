// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a job's ledger says (rule S8): how far its ticks are settled, and what became of its last run.
///
/// Beside each scheduled job's lock there is one. A tick is claimed in it in the same step in which the lock is granted.
public struct LedgerEntry: Equatable, Sendable {
    /// The position, in whole seconds since 1970: every tick up to it is settled or claimed.
    public var tick: Int64
    /// 1, 2, …: the position is the tick of the last run, and this its attempt. 0: it was only settled, and no attempt of
    /// it is to come.
    public var attempt: Int
    /// The operator's request that the last run was for; nil: it was for its tick.
    public var manual: Int64?
    /// The fence that the last run was granted; 0: there was none.
    public var fence: Int64
    /// When the last run was claimed, or its outcome written, in the store's microseconds since 1970.
    public var changed: Int64
    /// How the last run ended, 1 to 64 bytes of the daemon's; nil: nobody has said so, or there was none.
    public var outcome: Bytes?
    /// Who claimed the last run, up to 1 KiB of the daemon's: never the same for two claims.
    public var info: Bytes

    /// The end of the year 9999.
    package static let lastTick: Int64 = 253_402_300_799
    package static let mostAttempts = 1_000_000
    package static let longestOutcome = 64
    package static let longestInfo = 1024

    /// An entry.
    public init(
        tick: Int64, attempt: Int, manual: Int64? = nil, fence: Int64, changed: Int64, outcome: Bytes? = nil,
        info: Bytes = []
    ) {
        self.tick = tick
        self.attempt = attempt
        self.manual = manual
        self.fence = fence
        self.changed = changed
        self.outcome = outcome
        self.info = info
    }

    /// What changes when anything of it does that a decision rests on: what a claim is compared by.
    public struct Key: Hashable, Sendable {
        /// The position.
        public var tick: Int64
        /// The last run's attempt, or 0.
        public var attempt: Int
        /// The last run's fence, or 0.
        public var fence: Int64
        /// Whether somebody has said how the last run ended.
        public var hasOutcome: Bool

        /// The key of an entry that was seen.
        public init(tick: Int64, attempt: Int, fence: Int64, hasOutcome: Bool) {
            self.tick = tick
            self.attempt = attempt
            self.fence = fence
            self.hasOutcome = hasOutcome
        }
    }

    /// What a claim that follows this entry expects.
    public var key: Key { Key(tick: tick, attempt: attempt, fence: fence, hasOutcome: outcome != nil) }

    /// Whether all numbers are such as a store writes. What is not so is not believed: it may have been spoilt.
    package var isSound: Bool {
        let numbers = 0...AcquireRequest.FenceRequest.largest
        return (0...Self.lastTick).contains(tick) && (0...Self.mostAttempts).contains(attempt)
            && manual.map { numbers.contains($0) } ?? true && numbers.contains(fence) && numbers.contains(changed)
            && outcome.map { (1...Self.longestOutcome).contains($0.count) } ?? true && info.count <= Self.longestInfo
    }
}

/// What there is to see of a job's ledger.
public struct LedgerView: Equatable, Sendable {
    /// Nil: nothing is known, and no tick can be claimed yet.
    public var entry: LedgerEntry?
    /// The run that an operator asked for, until somebody claims it.
    public var asked: Asked?

    /// An operator's request for a run.
    public struct Asked: Equatable, Sendable {
        /// Unique for the job, and larger than any before: the store's microseconds when it was asked for.
        public var id: Int64
        /// Who asked, for people.
        public var by: String

        /// A request.
        public init(id: Int64, by: String) {
            self.id = id
            self.by = by
        }
    }

    /// A view, of an empty ledger unless it says otherwise.
    public init(entry: LedgerEntry? = nil, asked: Asked? = nil) {
        self.entry = entry
        self.asked = asked
    }
}
