// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The store's server: the model of `BatonCore`, and what can happen to the process around it.
struct Server {
    enum Condition { case up, stopped, down }

    var model: StoreModel
    /// The process.
    var run = 1
    /// What a copy on disk has, taken a while ago.
    var older: StoreModel
    var olderTakenAt: Int64 = 0
    var condition = Condition.up
    /// It answers everything with an error.
    var refuses = false
    /// When it refused last.
    var refusedUntil = Int64.min
    /// So much later it answers.
    var slowness: Int64 = 0
    /// Came while it was stopped, or down with the connection still there.
    var waiting: [Occurrence] = []
    private var clock: NodeClock
    /// What an operator, or NTP, has stepped the wall clock by, in microseconds.
    private(set) var stepped: Int64 = 0

    init(rate: Int64) {
        clock = NodeClock(base: 1_790_000_000_000_000_000, rate: rate, at: 0)
        model = StoreModel(clock: .server, identity: [1])
        older = model
    }

    /// Its wall clock, in microseconds.
    func time(at truth: Int64) -> Int64 { clock.local(at: truth).nanoseconds / 1000 + stepped }

    mutating func step(by microseconds: Int64) { stepped += microseconds }
}

/// What a daemon asks of the store.
enum Request {
    case acquire(AcquireRequest)
    case renew(RenewRequest)
    case release(ReleaseRequest)
    case look
    case mark(Mark?)
    case settle(SettleRequest)
}

/// What the daemon hears of it.
enum Answer {
    case acquire(AcquireReply)
    case renew(RenewReply)
    case release(Bool)
    case look(LockView)
    case marked
    case ledger(LedgerView)
    case failure(StoreFailure)
}

enum StoreFailure: String {
    /// It was sent, and nobody knows.
    case unknownOutcome
    /// It says that it can't.
    case unavailable
    /// It says that it won't.
    case refused
}

/// A request on its way, and its answer on its way back.
struct Exchange {
    /// What the daemon does with the answer.
    enum Purpose {
        case contest(Election)
        case renewal
        case release(Mark?)
        case markLook(tries: Int)
        case restitution(Restitution)
        case operatorMark
        /// How a run ended, delivered late.
        case outcome(runID: String)
        /// What the node remembers of ticks.
        case recollection
    }

    let node: Int
    let job: Int
    /// The loop that asked; an answer to one that is gone is nobody's.
    let shell: Int32
    let life: Int32
    let purpose: Purpose
    let request: Request
    /// The lease counts from then, by the node's clock.
    let sentAt: Instant
    /// It goes to a primary that was replaced.
    let isForOld: Bool
    /// Nothing is heard of the answer after it was given up.
    var isAwaited = true
    var answer: Answer?
    /// In microseconds, when it answered.
    var serverTime: Int64 = 0
    /// Whose clock the daemon expects it to be.
    let clockNumber: Int
    var granted: ServerTime { ServerTime(microseconds: serverTime, clock: clockNumber) }
    /// Occurrences that point here.
    var references = 0
}
