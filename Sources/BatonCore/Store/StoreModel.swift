// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A store as the rules have it (S1 to S9): the specification of every `LockStore`, and the store of simulations.
///
/// It is what a store remembers, how each request changes that, and what it answers. Tests hold real stores to its
/// answers. Time and fresh random values come in with each request; one that can never work does not come this far.
package struct StoreModel: Equatable, Sendable {
    /// Whose clock lets locks run out.
    package enum Clock: Equatable, Sendable {
        /// A server's, in whole milliseconds. It may be stepped: who lost a lock to it may still be at work.
        case server
        /// The very clock that holders count their leases on: one that it saw run out is over.
        case holders
    }

    /// What a request meets beside the store's memory.
    package struct Moment: Equatable, Sendable {
        /// The server's time in microseconds.
        package var time: Int64
        /// Wall-clock microseconds: the size of a fence. A server has but one clock.
        package var wall: Int64
        /// Never the same twice: what a nonce or an owner record is made of.
        package var random: Bytes

        package init(time: Int64, wall: Int64? = nil, random: Bytes) {
            self.time = time
            self.wall = wall ?? time
            self.random = random
        }
    }

    /// Why a request was not carried out, when it is the request's fault.
    package enum Refusal: Error, Equatable {
        /// The client is configured with another `max_lock_timeout` (rule S4).
        case misfit
        /// The lease would be longer than `max_lock_timeout` (rule S4).
        case excess
        /// Nothing would be left of the lease.
        case nothingLeft
        /// The largest fence there is was granted.
        case noFenceLeft
    }

    struct Lock: Equatable, Sendable {
        var token: Bytes
        /// Nil: never.
        var ends: Int64?
    }

    /// Who was granted the lock under the guard and did not release it (rule S6).
    struct Owner: Equatable, Sendable {
        var token: Bytes
        /// Changes with every grant and renewal.
        var record: Bytes
        var timeout: Duration
        var ends: Int64
    }

    /// What the store knows of its own past (rules S3, S4), and the owners of all locks: they are lost together.
    struct Epoch: Equatable, Sendable {
        var identity: Bytes
        /// Nil: settled.
        var nonce: Bytes?
        var maxLockTimeout: Duration
        var owners: [Bytes: Owner] = [:]
    }

    struct Holder: Equatable, Sendable {
        var token: Bytes
        var info: Bytes
        var failures: Int
    }

    struct MarkRecord: Equatable, Sendable {
        var mark: Mark
        /// Nil: until cleared. One that is over stays, and knows how many runs failed, until a grant uses it up.
        var ends: Int64?
        /// When it was set; later than now if the server's clock was put back since.
        var begins: Int64

        /// Its time begins again when the clock was put back: or it would last for longer than it was meant to.
        func counted(at now: Int64) -> MarkRecord {
            if now >= begins { return self }
            return MarkRecord(mark: mark, ends: ends.map { now + ($0 - begins) }, begins: now)
        }
    }

    let clock: Clock
    /// Which server, with which data, this is (rule S3).
    var identity: Bytes
    var locks: [Bytes: Lock] = [:]
    var fences: [Bytes: Int64] = [:]
    var epochs: [Bytes: Epoch] = [:]
    var holders: [Bytes: Holder] = [:]
    var marks: [Bytes: MarkRecord] = [:]
    var ledgers: [Bytes: Ledger] = [:]
    /// The newest line of each comes first.
    var histories: [Bytes: [Bytes]] = [:]

    /// A store that knows nothing yet.
    package init(clock: Clock, identity: Bytes = []) {
        self.clock = clock
        self.identity = identity
    }
}

/// What is remembered, and when it ends.
extension StoreModel {
    /// When locks and marks end by themselves, in the server's microseconds: some are past.
    package var ends: [Int64] {
        let owners = clock == .holders ? epochs.values.flatMap { $0.owners.values.map(\.ends) } : []
        return locks.values.compactMap(\.ends) + marks.values.compactMap(\.ends) + owners
    }

    func lock(_ keys: LockKeys, at now: Int64) -> Lock? {
        guard let lock = locks[keys.lock] else { return nil }
        if let ends = lock.ends, ends <= now { return nil }
        return lock
    }

    /// The same. A server deletes a key whose time is over as soon as somebody asks for it: a clock that is put back after
    /// that does not bring it back.
    mutating func touchedLock(_ keys: LockKeys, at now: Int64) -> Lock? {
        let lock = lock(keys, at: now)
        if lock == nil { locks[keys.lock] = nil }
        return lock
    }

    func owner(_ keys: LockKeys) -> Owner? { epochs[keys.epoch]?.owners[keys.lock] }

    /// The mark, if it still keeps the lock from being granted.
    func standing(_ record: MarkRecord?, at now: Int64) -> Mark? {
        guard let record = record?.counted(at: now) else { return nil }
        var mark = record.mark
        mark.remaining = record.ends.map { .microseconds($0 - now) }
        return mark.remaining.map { $0 <= .zero } == true ? nil : mark
    }

    /// Never fewer ticks of the clock than asked for.
    func counted(_ length: Duration) -> Duration {
        let tick = Duration.microseconds(clock == .server ? 1000 : 1)
        let whole = elapsed(length.microseconds)
        return whole < length ? whole + tick : whole
    }

    /// The whole ticks in so many microseconds.
    func elapsed(_ microseconds: Int64) -> Duration {
        .microseconds(clock == .server ? microseconds / 1000 * 1000 : microseconds)
    }

    func end(of length: Duration, from now: Int64) -> Int64 { (elapsed(now) + length).microseconds }

    func left(until end: Int64, at now: Int64) -> Duration { .microseconds(end) - elapsed(now) }
}
