// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

public import BatonCore

/// Where locks are kept: the plug-in seam between ``Lock`` and a server, or a file.
///
/// A store carries out one request at a time, atomically, and says what it did. It decides nothing about time on this
/// machine: when to try again, how long a lease is good for, and what a silence means are decided by its caller.
///
/// **What every store guarantees.** A request is applied as a whole or not at all. An error with code
/// ``LockError/Code/unknownOutcome`` means that it may have been applied, or may be applied later, up to its `notAfter`.
/// Any other error means that it was not and will not be. Every request returns or throws within its `timeout`, and a
/// little for the way.
///
/// **What none does.** It does not know whether a holder is alive, and cannot stop one.
///
/// How to make one: <doc:WritingAStore>. The seed's counterpart is its client.
public protocol LockStore: Sendable {
    /// One attempt to be granted a lock. Never waits for the lock.
    ///
    /// - Parameters:
    ///   - request: who asks for which lock, for how long, and what else counts.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: the store's answer; that somebody else holds the lock is one.
    /// - Throws: ``LockError`` when there is no answer, or not one of these.
    func acquire(_ request: AcquireRequest, timeout: Duration) async throws(LockError) -> Stamped<AcquireReply>

    /// Sets the TTL of a held lock again, extends it, puts it back, or swaps its token.
    ///
    /// - Parameters:
    ///   - request: whose lock, and what its TTL becomes.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: the store's answer; that the lock is not ours any more is one.
    /// - Throws: ``LockError`` when there is no answer; `refused` when nothing would be left of the TTL.
    func renew(_ request: RenewRequest, timeout: Duration) async throws(LockError) -> Stamped<RenewReply>

    /// Gives a lock back and announces it.
    ///
    /// - Parameters:
    ///   - request: whose lock.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: whether it was ours. That it is another's or nobody's is not an error.
    /// - Throws: ``LockError`` when there is no answer.
    func release(_ request: ReleaseRequest, timeout: Duration) async throws(LockError) -> Bool

    /// Looks at a lock without touching it.
    ///
    /// - Parameters:
    ///   - keys: which lock.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: what is there; a lock that nobody holds is not an error.
    /// - Throws: ``LockError`` when there is no answer.
    func look(at keys: LockKeys, timeout: Duration) async throws(LockError) -> LockView

    /// Sets or clears (nil) the mark beside a lock, and announces it. For the daemon: ``Lock`` sets and heeds none.
    ///
    /// - Parameters:
    ///   - mark: what replaces the mark that is there; nil: nothing.
    ///   - keys: which lock.
    ///   - timeout: how long an answer is waited for.
    /// - Throws: ``LockError`` when there is no answer.
    func setMark(_ mark: Mark?, on keys: LockKeys, timeout: Duration) async throws(LockError)

    /// Sets a mark that was there before the store lost its data, and announces it: only while the store does not know its
    /// own past (rule S3), and has no mark. For the daemon. The default: false.
    ///
    /// - Parameters:
    ///   - mark: what somebody remembers.
    ///   - keys: which lock.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: whether it was set. If not, the store knows better.
    /// - Throws: ``LockError`` when there is no answer.
    func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool

    /// Opens a job's ledger, tells it what this daemon remembers, and settles ticks that are not to run (rule S8). For the
    /// daemon, as all about ledgers. The default: an error, because this store keeps none.
    ///
    /// - Parameters:
    ///   - request: of which job, and what is settled.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: the ledger as it is then, which shows whether anything was settled.
    /// - Throws: ``LockError`` when there is no answer; `refused` when the store keeps no ledgers.
    func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView>

    /// An operator asks for a run, which is announced as a release is. The default: an error.
    ///
    /// - Parameters:
    ///   - request: of which job, and who asks.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: the request that stands: this one, or an earlier one that nobody has claimed yet.
    /// - Throws: ``LockError`` when there is no answer; `refused` when the store keeps no ledgers.
    func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked>

    /// Looks at a lock and its ledger, as of one instant. The default: an error, if the ledger is wanted.
    ///
    /// - Parameters:
    ///   - keys: which lock.
    ///   - withLedger: whether the ledger is looked at, too.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: what is there.
    /// - Throws: ``LockError`` when there is no answer; `refused` when the store keeps no ledgers.
    func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView

    /// The newest lines about a job's runs, the newest first. The default: an error.
    ///
    /// - Parameters:
    ///   - keys: of which job.
    ///   - limit: at most how many. A store keeps 100.
    ///   - timeout: how long an answer is waited for.
    /// - Returns: the lines; none when there was no run.
    /// - Throws: ``LockError`` when there is no answer; `refused` when the store keeps no ledgers.
    func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes]

    /// The time by which ticks are due, in microseconds since 1970: the store's wall clock now, as far as it is known. Nil
    /// before the first reply. Asks nobody. The default: the server's time.
    func tickTime() -> Int64?

    /// Where this process's tasks wait for this store's locks: one, made with the store.
    var waitingRoom: WaitingRoom { get }

    /// Where requests to this store are carried out. A task that prefers this executor
    /// (`withTaskExecutorPreference`) asks, and is answered, without a change of threads. Nil, the default: there is no
    /// such place. Never block it: every request to the store waits meanwhile.
    var executor: (any TaskExecutor)? { get }

    /// What is known of the server's clock, made with the store. Nil, the default: leases are counted on a clock of this
    /// machine, as in a file or in memory.
    var clock: StoreClock? { get }

    /// The server's time now, in microseconds, not later than it really is: the last time seen plus what has passed
    /// since it arrived. Nil before the first reply. Asks nobody.
    func serverTime() -> Int64?

    /// Runs `body` while release announcements (and changes of the mark) of this lock ring the bell.
    ///
    /// The bell is connected before `body` starts, and rings once by itself after every reconnect, so a waiter that
    /// tries again at each ring misses nothing that happened since. When the store cannot be reached the body runs all
    /// the same: an announcement is a short cut, never the only way on.
    ///
    /// - Parameters:
    ///   - keys: which lock.
    ///   - body: what listens. It has the bell for itself.
    /// - Throws: what `body` throws, and nothing else.
    func withAnnouncements<Result: Sendable>(
        of keys: LockKeys, _ body: (Doorbell) async throws -> Result
    ) async throws -> Result

    /// From now on announcements of this lock ring the bell, as in ``withAnnouncements(of:_:)``, until
    /// ``disconnect(_:from:)``. Default: nothing rings it.
    func connect(_ bell: Doorbell, to keys: LockKeys)

    /// Announcements of this lock ring the bell no more.
    func disconnect(_ bell: Doorbell, from keys: LockKeys)
}

extension LockStore {
    /// None.
    public var executor: (any TaskExecutor)? { nil }

    /// None.
    public var clock: StoreClock? { nil }

    /// Nothing rings it.
    public func connect(_ bell: Doorbell, to keys: LockKeys) {}

    /// Nothing rang it.
    public func disconnect(_ bell: Doorbell, from keys: LockKeys) {}

    /// The server's time.
    public func tickTime() -> Int64? { serverTime() }

    /// False: this store knows its own past.
    public func restoreMark(_ mark: Mark, on keys: LockKeys, timeout: Duration) async throws(LockError) -> Bool {
        false
    }

    /// An error: this store keeps no ledgers.
    public func settle(_ request: SettleRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView> {
        throw request.keys.noLedger
    }

    /// An error: this store keeps no ledgers.
    public func ask(_ request: AskRequest, timeout: Duration) async throws(LockError) -> Stamped<LedgerView.Asked> {
        throw request.keys.noLedger
    }

    /// The lock alone, or an error: this store keeps no ledgers.
    public func look(at keys: LockKeys, withLedger: Bool, timeout: Duration) async throws(LockError) -> LockView {
        if withLedger { throw keys.noLedger }
        return try await look(at: keys, timeout: timeout)
    }

    /// An error: this store keeps no ledgers.
    public func history(of keys: LockKeys, limit: Int, timeout: Duration) async throws(LockError) -> [Bytes] {
        throw keys.noLedger
    }
}

extension LockKeys {
    fileprivate var noLedger: LockError {
        LockError(
            .refused, lock: PrintableText.escaped(lock),
            "this store keeps no ledgers: it is no store for jobs with a schedule")
    }
}

/// A reply with the server's clock at the moment it was made.
public struct Stamped<Reply: Sendable & Equatable>: Sendable, Equatable {
    /// What the store answered.
    public var reply: Reply
    /// When the server gave it.
    public var time: ServerTime
    /// The server's time in microseconds, on whatever clock it counts TTLs.
    public var serverTime: Int64 { time.microseconds }

    /// A reply of a store that has but one clock.
    public init(_ reply: Reply, serverTime: Int64) { self.init(reply, at: ServerTime(microseconds: serverTime)) }

    /// A reply that came when a server's clock showed this: what ``StoreClock/heard(_:inAnswerTo:)`` returned.
    public init(_ reply: Reply, at time: ServerTime) {
        self.reply = reply
        self.time = time
    }
}
