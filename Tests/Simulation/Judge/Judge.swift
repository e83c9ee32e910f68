// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What is known of the world from outside, and what must be true of it at every step.
///
/// It does its own arithmetic: what Baton believes of a lease is not asked.
struct Judge {
    /// What is wrong: the first of it ends the world.
    private(set) var verdict: String?
    var figures = Figures()

    struct Lease {
        var node: Int
        /// By the node's clock: the latest end that any yes of the store is good for.
        var proven: Instant
        /// It was given back, or left to another, or its machine has lost its power.
        var isOver = false
        /// The daemon that has heard a yes, and whose clock that was by.
        var life: Int32 = -1
        var clockNumber = -1
    }
    /// By a run's number.
    private var leases: [Lease?] = [nil]
    /// The run's number, by a token's.
    private var tokens: [Int] = [0]
    var runOfNumber: [Int: Int32] = [:]

    struct JobRecord {
        /// Runs with live processes.
        var live: [Int32] = []
        var lastFence: Int64 = 0
        /// The last tick that was known to be dealt with when the faults were over.
        var settled: Int64 = 0
        /// The last tick that was run, and its attempt.
        var lastTurn: (tick: Int64, attempt: Int) = (0, 0)
        var lastNode = -1
        var starts = 0
        /// Starts since the world was mended.
        var calmStarts = 0
        /// Leases that may last, by their runs' numbers.
        var leases: [Int] = []
    }
    var jobs: [JobRecord]
    /// The store forgot, and its clock went back: then fences may, for those who did not know them.
    var forgot = false
    var clockWentBack = false
    /// Tokens of calls that ended without the lock, and of locks that were given back.
    var overCalls: Set<Bytes> = []
    var givenBack: Set<Bytes> = []
    /// A request that nobody waited for any more, or an older copy of the data, put such a lock back: nobody's, until it
    /// runs out.
    var revived: Set<Bytes> = []
    /// The daemon's life that competed with a token.
    var lives: [Bytes: Int32] = [:]

    init(jobs: Int, nodes: Int) { self.jobs = Array(repeating: JobRecord(), count: jobs) }

    mutating func condemn(_ what: String) { if verdict == nil { verdict = what } }

    mutating func saw(_ turn: Turn) { figures.turns[turn.place] += 1 }

    func number(_ runID: String) -> Int { Int(runID.dropFirst()) ?? 0 }

    /// The run of this name, once it was launched.
    func run(_ runID: String) -> Int32? { runOfNumber[number(runID)] }

    mutating func issued(_ token: Bytes, node: Int, job: Int, runID: String) {
        let number = number(runID)
        tokens.append(number)
        while leases.count <= number { leases.append(nil) }
        if leases[number] == nil { leases[number] = Lease(node: node, proven: Instant(nanoseconds: .min)) }
    }

    /// The number of the run that a token is of.
    func number(ofToken token: Bytes) -> Int {
        var number: UInt64 = 0
        for byte in token.reversed() { number = number << 8 | UInt64(byte) }
        return number < tokens.count ? tokens[Int(number)] : 0
    }

    /// The store said yes: a lease lasts until then.
    mutating func prove(_ token: Bytes, job: Int, _ end: Instant) {
        let number = number(ofToken: token)
        guard let lease = leases[number] else { return }
        leases[number]?.proven = max(lease.proven, end)
        if !jobs[job].leases.contains(number) { jobs[job].leases.append(number) }
    }

    /// The daemon has heard a yes.
    mutating func heardYes(_ token: Bytes, life: Int32, clockNumber: Int) {
        let number = number(ofToken: token)
        leases[number]?.life = life
        leases[number]?.clockNumber = clockNumber
    }

    mutating func endLease(of token: Bytes) { endLease(number(ofToken: token)) }

    mutating func endLease(_ number: Int) { leases[number]?.isOver = true }

    mutating func endLeases(ofNode node: Int) {
        for number in jobs.flatMap(\.leases) where leases[number]?.node == node { leases[number]?.isOver = true }
    }

    func lease(_ number: Int) -> Lease? { leases[number] }

    /// The latest end of the run's lease that the store has agreed to.
    func proven(_ number: Int) -> Instant? { leases[number]?.proven }
}

extension Turn {
    var place: Int { Self.places[self] ?? 0 }
}
