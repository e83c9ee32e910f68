// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What an acquire claims in the job's ledger (rule S8): the lock is granted only together with it.
///
/// Which tick is due, or to be tried again, is decided by the node on the ledger that it saw. The store only compares: the
/// claim must follow what it expects there, and that must still be there.
public struct LedgerClaim: Equatable, Sendable {
    /// The entry that the decision was made on; nil: none was seen, and the claim can only bring a view of it.
    public var expected: LedgerEntry.Key?
    /// The tick; for an operator's run the position, which stays.
    public var tick: Int64
    /// 1, or one more than the attempt before.
    public var attempt: Int
    /// The operator's request that the run is for; nil: it is for the tick.
    public var manual: Int64?
    /// The largest tick that this daemon knows to be settled or claimed; 0: it knows of none.
    public var floor: Int64
    /// Who claims, at most 1 KiB. Never the same for two claims: a claim whose reply was lost is known by it.
    public var info: Bytes
    /// Lines of the history about what was before: missed, skipped, lost. At most 8, the oldest first.
    public var lines: [Bytes]

    /// How many lines a request may have.
    package static let mostLines = 8
    /// How long a line of the history may be.
    package static let longestLine = 4096

    /// A claim.
    public init(
        expected: LedgerEntry.Key?, tick: Int64, attempt: Int = 1, manual: Int64? = nil, floor: Int64 = 0, info: Bytes,
        lines: [Bytes] = []
    ) {
        self.expected = expected
        self.tick = tick
        self.attempt = attempt
        self.manual = manual
        self.floor = floor
        self.info = info
        self.lines = lines
    }

    /// The entry that it makes, or made already.
    package func entry(fence: Int64, at now: Int64) -> LedgerEntry {
        LedgerEntry(tick: tick, attempt: attempt, manual: manual, fence: fence, changed: now, info: info)
    }
}

/// How a run ended: written with the release of its lock, or later. Sent only with proof that it has ended.
public struct RunRecord: Equatable, Sendable {
    /// The run, as it was claimed. Its fence says which one it is: 0 when the claim's reply never came and nothing was
    /// started; it is then known by the rest.
    public var run: LedgerEntry
    /// How it ended, 1 to 64 bytes.
    public var outcome: Bytes
    /// Its line of the history; nil: none.
    public var line: Bytes?

    /// A record.
    public init(run: LedgerEntry, outcome: Bytes, line: Bytes?) {
        self.run = run
        self.outcome = outcome
        self.line = line
    }
}

/// Opens a job's ledger, tells it what this daemon remembers, and settles ticks that are not to run.
///
/// A store that forgot asks nobody: who has nothing to claim has to say what it remembers by itself, at least once within
/// `max_lock_timeout`. That is so after each new connection, and, while it waits for ticks, for as long as it remembers one
/// that is later than the store's clock.
public struct SettleRequest: Equatable, Sendable {
    /// The lock and its companions.
    public var keys: LockKeys
    /// The guard, or nil when it is off. Nobody's wait is ended by it.
    public var guarding: AcquireRequest.Guarding?
    /// The largest tick that this daemon knows to be settled or claimed; 0: it knows of none.
    public var floor: Int64
    /// The largest fence that this daemon knows of; 0: it knows of none.
    public var fence: Int64
    /// The entry that the decision was made on.
    public var expected: LedgerEntry.Key?
    /// Up to where all ticks are settled; nil: the ledger is only opened.
    public var tick: Int64?
    /// Lines of the history about the ticks that are settled. At most 8, the oldest first.
    public var lines: [Bytes]

    /// A request that opens the ledger, and settles nothing unless it is given a tick.
    public init(
        keys: LockKeys, guarding: AcquireRequest.Guarding?, floor: Int64 = 0, fence: Int64 = 0,
        expected: LedgerEntry.Key? = nil, tick: Int64? = nil, lines: [Bytes] = []
    ) {
        self.keys = keys
        self.guarding = guarding
        self.floor = floor
        self.fence = fence
        self.expected = expected
        self.tick = tick
        self.lines = lines
    }
}

/// An operator asks for a run of a job, by whichever node.
public struct AskRequest: Equatable, Sendable {
    /// The lock and its companions.
    public var keys: LockKeys
    /// Who asks, for people: at most 1 KiB.
    public var by: String
    /// Random bytes of this call: asked again, because its answer was lost, it is the same request.
    public var call: Bytes

    /// A request.
    public init(keys: LockKeys, by: String, call: Bytes) {
        self.keys = keys
        self.by = by
        self.call = call
    }
}
