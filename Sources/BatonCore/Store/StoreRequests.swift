// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One attempt to be granted a lock. The seed's `SET NX PX`.
public struct AcquireRequest: Equatable, Sendable {
    /// The lock and its companions.
    public var keys: LockKeys
    /// The holder's token. Fresh for every acquire call, the same for every attempt within one.
    public var token: Bytes
    /// True when the token is 128 random bits of ours: a key that already holds it is then a yes (rule S1).
    public var tokenIsFresh: Bool
    /// The lease asked for, at least 1 ms; nil: the lock never expires (library only).
    public var timeout: Duration?
    /// The server's time, in microseconds, after which this request must not be applied any more (rule S2); nil: it may
    /// be applied whenever it arrives.
    public var notAfter: Int64?
    /// The guard (rules S3–S6), or nil when it is off.
    public var guarding: Guarding?
    /// That a fence is wanted, and the largest one known to us (rule S7); nil: none is wanted.
    public var fence: FenceRequest?
    /// What others are told about the holder; stored beside the lock. Nil leaves the record of an earlier one there,
    /// which its token tells from ours.
    public var holder: Bytes?
    /// Whether marks (`held down`, `cooling down`) keep this lock from being granted. Daemons only.
    public var heedsMarks: Bool
    /// What is claimed in the job's ledger in the same step (rule S8), or nil for a lock without one. It needs a fence, and
    /// a fresh token: one for each claim.
    public var claim: LedgerClaim?

    /// What a guarded acquire presents.
    public struct Guarding: Equatable, Sendable {
        /// The nonce of the epoch record, once we have waited `maxLockTimeout` since it arrived.
        public var nonce: Bytes?
        /// The owner record of a vanished lock whose lease is over by our clock (rule S6).
        public var claim: Bytes?
        /// The store's constant (rule S4).
        public var maxLockTimeout: Duration

        /// What is presented: nothing, until waited for.
        public init(nonce: Bytes? = nil, claim: Bytes? = nil, maxLockTimeout: Duration) {
            self.nonce = nonce
            self.claim = claim
            self.maxLockTimeout = maxLockTimeout
        }
    }

    /// A fence is wanted: `max(last + 1, server µs, floor + 1)`.
    public struct FenceRequest: Equatable, Sendable {
        /// The largest fence there is: numbers in Lua are exact up to here. By the clock alone it is the year 2255.
        package static let largest: Int64 = (1 << 53) - 1

        /// The largest fence known to this client, at most 2⁵³ − 2; 0, the default, when none is.
        public var floor: Int64

        /// A fence above `floor`.
        public init(floor: Int64 = 0) { self.floor = floor }
    }

    /// Whether the seed's `SET NX` is all that is asked for: the lock's own key is then all that is touched, or seen.
    package var isPlain: Bool {
        guarding == nil && fence == nil && holder == nil && notAfter == nil && !heedsMarks && !tokenIsFresh
            && claim == nil
    }

    /// A plain request: no guard, no fence, no marks: what the seed sends.
    public init(keys: LockKeys, token: Bytes, tokenIsFresh: Bool, timeout: Duration?) {
        self.keys = keys
        self.token = token
        self.tokenIsFresh = tokenIsFresh
        self.timeout = timeout
        notAfter = nil
        guarding = nil
        fence = nil
        holder = nil
        heedsMarks = false
        claim = nil
    }
}

/// The store's answer to an acquire.
public enum AcquireReply: Equatable, Sendable {
    /// Ours. The lease counts from before this attempt was sent.
    case granted(Grant)
    /// Somebody holds it.
    case held(Sighting)
    /// The lock's key is gone, but its owner never released it: it may still be at work (rule S6).
    case orphaned(Sighting)
    /// The store does not know its own past: present this nonce after `wait` since it arrived (rule S3).
    case unsettled(nonce: Bytes, wait: Duration)
    /// A mark keeps everyone from being granted this lock.
    case marked(Mark)
    /// The lock could be had, but the claim does not follow what the ledger says (rule S8). Only to a request with a claim.
    case ledger(LedgerView)
    /// The request arrived after its `notAfter` (rule S2).
    case late

    /// What came with a yes.
    public struct Grant: Equatable, Sendable {
        /// The fencing token; nil when none was asked for.
        public var fence: Int64?
        /// Runs that failed in a row before this one, from the job's last cooling-down mark. A repeated yes says so
        /// again if the first one left a holder record.
        public var failures: Int

        /// A grant with its fence.
        public init(fence: Int64?, failures: Int = 0) {
            self.fence = fence
            self.failures = failures
        }
    }
}

/// What a waiter learns of the present holder.
public struct Sighting: Equatable, Sendable {
    /// What is left of the lock's TTL; nil: the lock's key is gone, or has no TTL.
    public var timeToLive: Duration?
    /// The owner record, opaque: it changes with every grant and renewal. Nil when the guard is off.
    public var owner: Bytes?
    /// The lease length in the owner record.
    public var timeout: Duration?
    /// The largest fence granted so far; 0 when none was, or when the request was plain.
    public var fence: Int64

    /// What was seen.
    public init(timeToLive: Duration?, owner: Bytes? = nil, timeout: Duration? = nil, fence: Int64 = 0) {
        self.timeToLive = timeToLive
        self.owner = owner
        self.timeout = timeout
        self.fence = fence
    }
}

/// A change of a held lock's TTL, only if the token is still the holder's. The seed's scripts for `extend` and
/// `reacquire`.
public struct RenewRequest: Equatable, Sendable {
    /// The lock and its companions.
    public var keys: LockKeys
    /// The holder's token.
    public var token: Bytes
    /// What the TTL becomes.
    public var change: Change
    /// The server's time, in microseconds, after which a vanished lock must not be put back; nil: it must not at all.
    public var notAfter: Int64?
    /// The guard, or nil when it is off. With it, a vanished lock of ours is put back (rules S5, S6).
    public var guarding: AcquireRequest.Guarding?
    /// Adoption (rule N3): the token that replaces `token`, with the holder record that goes with it.
    public var successor: Successor?
    /// The holder's fence, 0 when it has none: a store that remembers a smaller one learns it again (rule S7).
    public var fence: Int64
    /// The holder record that is put back with a vanished lock; nil: none.
    public var holder: Bytes?
    /// The run that the lock was granted for, as the holder knows it: a store whose ledger is behind learns it again
    /// (rule S8). Nil: it was granted for none.
    public var ledger: LedgerEntry?

    /// What the TTL becomes.
    public enum Change: Equatable, Sendable {
        /// The whole timeout again.
        case reset(Duration)
        /// What is left, and so much more. Negative: less. Refused by the store when nothing would be left.
        case add(Duration)
    }

    /// The token and holder record of a daemon that takes a run over.
    public struct Successor: Equatable, Sendable {
        /// The new token.
        public var token: Bytes
        /// The new holder record.
        public var holder: Bytes

        /// A successor.
        public init(token: Bytes, holder: Bytes) {
            self.token = token
            self.holder = holder
        }
    }

    /// A renewal without a guard.
    public init(keys: LockKeys, token: Bytes, change: Change) {
        self.keys = keys
        self.token = token
        self.change = change
        notAfter = nil
        guarding = nil
        successor = nil
        fence = 0
        holder = nil
        ledger = nil
    }
}

/// The store's answer to a renewal.
public enum RenewReply: Equatable, Sendable {
    /// Still ours, with so much TTL now.
    case renewed(timeToLive: Duration)
    /// The token is not ours any more, says a settled store. Also: our key has no TTL, for `.add`.
    case lost
    /// Not renewed, by a store that does not know its own past: neither yes nor no (rule S5).
    case unsettled
}

/// Gives a lock back, only if the token is still the holder's, and announces it. The seed's script for `release`, which
/// announces nothing.
public struct ReleaseRequest: Equatable, Sendable {
    /// The lock and its companions.
    public var keys: LockKeys
    /// The holder's token.
    public var token: Bytes
    /// A mark set in the same step, if the lock was ours; nil, the default: none.
    public var mark: Mark?
    /// Whether companions (owner and holder record) are cleared too.
    public var guarding: Bool
    /// How the run ended (rule S8), which counts also when the lock is not ours any more; nil: there was none.
    public var outcome: RunRecord?

    /// A release, without a mark or an outcome unless it says otherwise.
    public init(keys: LockKeys, token: Bytes, mark: Mark? = nil, guarding: Bool, outcome: RunRecord? = nil) {
        self.keys = keys
        self.token = token
        self.mark = mark
        self.guarding = guarding
        self.outcome = outcome
    }
}

/// What a look at a lock shows; nothing is changed by it. The seed's `GET` in `owned` and `locked`.
public struct LockView: Equatable, Sendable {
    /// The token in the lock, or nil when nobody holds it.
    public var token: Bytes?
    /// What is left of its TTL; nil when it has none.
    public var timeToLive: Duration?
    /// The holder record; believe it only if `holderToken` is `token`.
    public var holder: Bytes?
    /// The token that the holder record was written with.
    public var holderToken: Bytes?
    /// The largest fence granted so far; 0 when none was.
    public var fence: Int64
    /// The mark, if there is one.
    public var mark: Mark?
    /// The job's ledger; nil when it was not asked for.
    public var ledger: LedgerView?

    /// A view of a lock that nobody holds.
    public init(
        token: Bytes? = nil, timeToLive: Duration? = nil, holder: Bytes? = nil, holderToken: Bytes? = nil,
        fence: Int64 = 0, mark: Mark? = nil, ledger: LedgerView? = nil
    ) {
        self.token = token
        self.timeToLive = timeToLive
        self.holder = holder
        self.holderToken = holderToken
        self.fence = fence
        self.mark = mark
        self.ledger = ledger
    }
}
