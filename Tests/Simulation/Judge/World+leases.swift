// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Leases, as the store has agreed to them: never two of one lock, whatever runs under them.
///
/// This is what the model checkers of the research look for. It is stricter than what is promised of workloads, which take a
/// moment to start, and blames no other moment than the one at which the store says yes.
extension World {
    /// An answer leaves the store, and counts.
    mutating func judgeAnswer(_ answer: Answer, to exchange: Exchange) {
        // A run is to follow in place of one that has ended. Nobody needs that one's lease any more, whatever comes of it.
        if case .renew(let request) = exchange.request, let heir = request.successor?.token,
            judge.number(ofToken: heir) != judge.number(ofToken: request.token)
        {
            judge.endLease(of: request.token)
        }
        switch (exchange.request, answer) {
        case (.acquire(let request), .acquire(.granted)):
            guard let timeout = request.timeout else { return }
            judgeGrant(request, exchange)
            prove(request.token, timeout, exchange)
        case (.renew(let request), .renew(.renewed)):
            guard case .reset(let timeout) = request.change else { return }
            let heir = request.successor?.token ?? request.token
            prove(heir, timeout, exchange)
        case _: break
        }
    }

    /// The daemon hears a yes.
    mutating func judgeHeard(_ answer: Answer, to exchange: Exchange) {
        let token: Bytes
        switch (exchange.request, answer) {
        case (.acquire(let request), .acquire(.granted)): token = request.token
        case (.renew(let request), .renew(.renewed)): token = request.successor?.token ?? request.token
        case _: return
        }
        judge.heardYes(token, life: exchange.life, clockNumber: exchange.clockNumber)
    }

    /// By the node's clock, until when a yes is good at the latest.
    private mutating func prove(_ token: Bytes, _ timeout: Duration, _ exchange: Exchange) {
        // Who asked has lost its power since, and with it its clock.
        if exchange.life < nodes[exchange.node].firstLife { return }
        let drift = timeout / 100 + scenario.killLatency + .milliseconds(2)
        judge.prove(token, job: exchange.job, exchange.sentAt + timeout - drift)
    }

    /// A request is sent. Who gives a lock back has no use for it any more, whether or not the store hears of it.
    mutating func judgeSending(_ request: Request) {
        if case .release(let request) = request { judge.endLease(of: request.token) }
    }

    private mutating func judgeGrant(_ request: AcquireRequest, _ exchange: Exchange) {
        // Nobody hears of it, and nobody will.
        if judge.overCalls.contains(request.token) { return }
        let isBeyond = nodes[exchange.node].excusedUntil > now
        // Who has waited by such a clock has not waited for the others either.
        if isBeyond, request.guarding?.nonce != nil { beyondUntil = max(beyondUntil, now + 2 * scenario.longest) }
        let mine = judge.number(ofToken: request.token)
        for number in judge.jobs[exchange.job].leases where number != mine {
            guard let lease = judge.lease(number), !lease.isOver, clock(lease.node) < lease.proven else {
                judge.jobs[exchange.job].leases.removeAll { $0 == number }
                continue
            }
            // Whom such a clock's lock is granted to next has not cut it short.
            if isBeyond { judge.endLease(number) }
            if isBeyond || max(nodes[lease.node].excusedUntil, beyondUntil, fenceOnlyUntil) > now { continue }
            judge.condemn(
                "the lock of job \(exchange.job + 1) is granted to r\(mine), and the lease of r\(number) on node "
                    + "\(lease.node + 1) lasts for another \(lease.proven - clock(lease.node))")
        }
    }

    // MARK: A hypervisor's pause

    /// Rule S10: the first answer to what a daemon has asked since the pause says that time has passed.
    mutating func judgePause(_ exchange: Exchange) {
        let node = exchange.node
        // One that leaves its runs to the next daemon does not mind them any more, and the next renews at once.
        guard let pause = nodes[node].pause, pause.informedAt == .max, nodes[node].daemon.ending != .relieved,
            exchange.life == pause.life, exchange.clockNumber == pause.clockNumber, exchange.sentAt >= pause.end
        else { return }
        nodes[node].pause?.informedAt = now
        for job in scenario.jobs.indices { schedule(.overlapCheck, at: now + pauseGrace, job: job) }
    }

    /// How long after that what should be over may go on: two kills, the first of which missed somebody.
    private var pauseGrace: Int64 { 2 * scenario.killLatency.nanoseconds }

    /// Whether a run is beyond what is promised, because of the clock that its machine has.
    func isExcused(_ run: Int32) -> Bool {
        let node = nodes[runs[Int(run)].node]
        if beyondUntil > now { return true }
        guard node.excusedUntil > now else { return false }
        guard let pause = node.pause, let lease = judge.lease(runs[Int(run)].number) else { return true }
        // The server's clock, which is to tell of the pause, was put back as well.
        if let step = lastStep, !step.isForward, step.at > pause.begin - scenario.longest { return true }
        // A daemon that has begun since, or has the lease of another server, has nothing to compare.
        return lease.life != pause.life || lease.clockNumber != pause.clockNumber
            || pause.informedAt == .max || now < pause.informedAt + pauseGrace
    }
}
