// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Rules of the design that have another line behind them, each looked at by itself: a mutation that breaks the first line
/// would otherwise be hidden by the second, until somebody breaks that one as well.
extension World {
    /// Where the clock of the server was stepped, or the node's is beyond the margin, requests may be void too early, or
    /// too late.
    private func isServerTimeSound(for node: Int) -> Bool {
        server.stepped == 0 && !judge.clockWentBack && nodes[node].excusedUntil < now
    }

    // MARK: The store

    /// - Parameter holder: the token that held the lock before.
    mutating func judgeAcquire(
        _ request: AcquireRequest, _ reply: AcquireReply, in exchange: Exchange, holder: Bytes?
    ) {
        switch reply {
        // S1: a lost reply is made good by asking again.
        case .held where holder == request.token:
            judge.condemn("the store tells a node that its own lock is somebody's")
        // S2: nobody would know of the lock, or give it back.
        case .granted where judge.overCalls.contains(request.token):
            // A copy of what was answered may come while it is not void yet: a call does not wait for that.
            if isServerTimeSound(for: exchange.node), exchange.answer == nil {
                judge.condemn("the store grants a lock to a call that is over")
            }
            judge.revived.insert(request.token)
        // A request that was repeated before it was void, and that came after all: nobody's lock, until it runs out.
        case .granted where judge.givenBack.contains(request.token): judge.revived.insert(request.token)
        case .held, .granted, .orphaned, .unsettled, .marked, .ledger, .late: break
        }
    }

    /// - Parameter holder: the token that held the lock before; nil: it is put back.
    mutating func judgeRenewal(_ request: RenewRequest, node: Int, holder: Bytes?) {
        if holder == nil { judge.saw(.reestablished) }
        // A renewal that nobody waited for any longer comes after the release: nobody's lock, until it runs out.
        let token = request.successor?.token ?? request.token
        if holder == nil, judge.givenBack.contains(request.token) || judge.givenBack.contains(token) {
            judge.revived.insert(token)
        }
        // And another one may take it over.
        if let holder, judge.revived.contains(holder) { judge.revived.insert(token) }
        guard holder == nil, isServerTimeSound(for: node), nodes[node].power == .on,
            let proven = judge.proven(judge.number(ofToken: request.token)), case .reset(let timeout) = request.change
        else { return }
        // S2: its lease may be another's by now.
        if clock(node) > proven + timeout / 50 {
            judge.condemn("the store puts back a lock whose lease is over, \(clock(node) - proven) ago")
        }
    }

    /// A call ended without the lock, and says that nothing is left of it (rule S1).
    mutating func judgeCallOver(_ token: Bytes, job: Int, node: Int) {
        judge.overCalls.insert(token)
        let view = server.model.look(at: scenario.jobs[job].keys, at: server.time(at: now))
        if view.token == token, isServerTimeSound(for: node), !judge.revived.contains(token) {
            judge.condemn("a call is over, and the store holds the lock for it")
        }
    }

    // MARK: The holder

    /// The holder of a lock asks the store for something (rule S1: a token is dead once a release was sent for it).
    mutating func judgeHolder(_ request: Request, isRenewing: Bool) {
        switch request {
        case .renew(let request) where judge.givenBack.contains(request.token):
            judge.condemn("a lock is renewed that was given back")
        case .release(let request):
            judge.givenBack.insert(request.token)
            if isRenewing { judge.condemn("a lock is given back while a renewal of it is on its way") }
        case .renew, .acquire, .look, .mark, .settle: break
        }
    }

    /// D is terminal: a daemon that tells a keeper a deadline after the one before has passed has revived a lease.
    mutating func judgeRevival(_ told: Instant?, _ node: Int) {
        guard let told, clock(node) >= told else { return }
        judge.condemn("node \(node + 1) goes on with a lease that was over \(clock(node) - told) ago")
    }

    /// Rule S7: a node that knew of a fence asks for a larger one, whatever the store has forgotten.
    mutating func judgeFence(_ fence: Int64, _ node: Int, _ job: Int) {
        if fence <= nodes[node].fences[job] {
            judge.condemn("node \(node + 1) is granted fence \(fence), and knew of \(nodes[node].fences[job])")
        }
    }

    /// A daemon asks for more time, and says until when it believes to hold the lock.
    mutating func judgeBelief(_ deadline: Instant, _ runID: String, _ node: Int) {
        guard let proven = judge.proven(judge.number(runID)), deadline > proven else { return }
        judge.condemn("node \(node + 1) believes in a lease of \(runID) that no yes of the store covers")
    }

    /// Rule N3: a token is written down before it is sent, and the one of an earlier daemon is replaced.
    mutating func judgeToken(_ request: RenewRequest, _ runID: String, _ node: Int) {
        guard let run = judge.run(runID) else { return }
        let token = request.successor?.token ?? request.token
        if runs[Int(run)].hasFolder, !runs[Int(run)].record.candidates.contains(token) {
            judge.condemn("a token is sent for \(runID) that a daemon after this one would not know")
        }
        if let life = judge.lives[token], life != nodes[node].daemon.life {
            judge.condemn("a daemon goes on with the token of \(runID) that an earlier one may still use")
        }
    }

    /// A holder believes that it has given its lock back.
    mutating func judgeReleased(_ run: ActiveRun, _ job: Int) {
        let view = server.model.look(at: scenario.jobs[job].keys, at: server.time(at: now))
        // What one server was told, another that follows it may not know.
        guard scenario.replication == .none, let token = view.token, run.record.candidates.contains(token),
            !judge.revived.contains(token)
        else {
            return
        }
        judge.condemn("the lock of \(run.runID) is given back, and one of its tokens holds it")
    }

    /// Rule S3, H7: a nonce is presented when it was waited for since its *arrival*.
    mutating func judgeWait(_ request: AcquireRequest, _ shell: Shell) {
        guard let nonce = request.guarding?.nonce, let arrival = shell.nonces[nonce],
            clock(shell.node) < arrival + scenario.maxLockTimeout
        else { return }
        judge.condemn("node \(shell.node + 1) has waited too little after the store's loss")
    }

    /// D is terminal, also for a lock that one loop leaves to the next.
    mutating func judgeHandover(_ election: Election) {
        guard let end = election.leftUntil, clock(election.node) >= end else { return }
        judge.condemn(
            "node \(election.node + 1) takes a lock over that was left until \(clock(election.node) - end) ago")
    }

    // MARK: The keeper

    /// Rule N4, and that a TERM for a lost lease is final.
    mutating func judgeKeeper(_ run: Int32, from phase: KeeperPhase, deadline: Instant?, at instant: Instant) {
        let index = Int(run)
        if phase == .leaseEnding, runs[index].machine.phase == .running || runs[index].machine.phase == .starting {
            judge.condemn("the keeper of \(runs[index].runID) takes back its TERM for a lost lease")
        }
        if let deadline, instant >= deadline, let later = runs[index].machine.deadline, later > deadline {
            judge.condemn("the keeper of \(runs[index].runID) goes on after its deadline")
        }
    }

    /// The guard finds processes after the deadline, of a keeper that is alive: that one has not looked at the clock.
    mutating func judgeMissedDeadline(_ run: Int32) {
        let index = Int(run)
        guard runs[index].keeper == .alive, nodes[runs[index].node].power == .on,
            now > max(nodes[runs[index].node].thawedAt, runs[index].continuedAt) + 20_000_000
        else { return }
        switch runs[index].machine.phase {
        case .starting, .running, .stopping, .leaseEnding:
            judge.condemn("the keeper of \(runs[index].runID) has slept through its deadline")
        case .waiting, .clearing, .ended: break
        }
    }
}
