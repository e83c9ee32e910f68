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

    private struct Lease {
        var node: Int
        /// By the node's clock: the latest end that any yes of the store is good for.
        var proven: Instant
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
        var lastNode = -1
        var starts = 0
        /// Starts since the world was mended.
        var calmStarts = 0
    }
    var jobs: [JobRecord]
    /// The store forgot, and its clock went back: then fences may, for those who did not know them.
    var forgot = false
    var clockWentBack = false
    /// Tokens of calls that ended without the lock, and of locks that were given back.
    var overCalls: Set<Bytes> = []
    var givenBack: Set<Bytes> = []
    /// A renewal that nobody waited for any more, or an older copy of the data, put such a lock back: nobody's, until it
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

    /// The store said yes to a request.
    private mutating func prove(_ token: Bytes, _ sentAt: Instant, _ timeout: Duration, _ killLatency: Duration) {
        let number = number(ofToken: token)
        guard let lease = leases[number] else { return }
        let drift = timeout / 100 + killLatency + .milliseconds(2)
        leases[number]?.proven = max(lease.proven, sentAt + timeout - drift)
    }

    mutating func granted(_ exchange: Exchange, token: Bytes, killLatency: Duration) {
        guard case .acquire(let request) = exchange.request, let timeout = request.timeout else { return }
        prove(token, exchange.sentAt, timeout, killLatency)
    }

    mutating func renewed(_ exchange: Exchange, _ request: RenewRequest, killLatency: Duration) {
        guard case .reset(let timeout) = request.change else { return }
        prove(request.successor?.token ?? request.token, exchange.sentAt, timeout, killLatency)
    }

    /// The latest end of the run's lease that the store has agreed to.
    func proven(_ number: Int) -> Instant? { leases[number]?.proven }
}

extension Turn {
    var place: Int { Self.places[self] ?? 0 }
}
