// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What must be true, looked at when something happens that could break it.
extension World {
    /// How long after a thaw what should be over may go on.
    private var thawGrace: Int64 { scenario.killLatency.nanoseconds + 2_000_000 }

    /// The daemon tells its keeper a deadline.
    mutating func judgeDeadline(_ deadline: Instant, _ runID: String, _ node: Int) {
        guard let proven = judge.proven(judge.number(runID)) else { return }
        if deadline > proven {
            judge.condemn(
                "node \(node + 1) tells the keeper of \(runID) a deadline that no yes of the store covers: "
                    + "\(deadline - proven) later")
        }
    }

    /// The keeper has handled something.
    mutating func judgeKeeper(_ run: Int32, from before: KeeperPhase, at instant: Instant) {
        let index = Int(run)
        let phase = runs[index].machine.phase
        if phase == .leaseEnding, before != .leaseEnding {
            judge.saw(.leaseRanOut)
            if let heard = runs[index].heardDeadline, instant < heard - runs[index].lostGrace {
                judge.condemn("the keeper of \(runs[index].runID) acts on a deadline older than the one it heard of")
            }
        }
        if phase.isOrderly, let deadline = runs[index].boardDeadline, let heard = runs[index].heardDeadline,
            deadline < heard
        {
            judge.condemn("the keeper of \(runs[index].runID) went back to an older deadline")
        }
    }

    /// The keeper says that the run is over.
    mutating func judgeEnd(_ run: Int32) {
        if runs[Int(run)].hasProcesses {
            judge.condemn("the status of \(runs[Int(run)].runID) says that it is over, and processes of it are there")
        }
    }

    /// A workload begins.
    mutating func judgeStart(_ run: Int32) {
        let index = Int(run)
        let (node, job, fence) = (runs[index].node, runs[index].job, runs[index].fence)
        judge.figures.starts += 1
        if judge.jobs[job].lastNode >= 0, judge.jobs[job].lastNode != node { judge.saw(.takeover) }
        // A failover to a replica that lags leaves runs with fences of either side. Whoever knew the larger one may be gone
        // with the store that knew it. And who does not know that time has passed is kept out by its fence alone.
        let isForgiven = judge.forgot && judge.clockWentBack || fenceOnlyUntil > .min || nodes[node].wasBeyond
        if fence <= judge.jobs[job].lastFence, !isForgiven {
            judge.condemn("job \(job + 1) starts with fence \(fence), after one with \(judge.jobs[job].lastFence)")
        }
        judgeTurn(runs[index].record.turn, job, node, isForgiven: isForgiven)
        judge.jobs[job].lastFence = max(fence, judge.jobs[job].lastFence)
        judge.jobs[job].lastNode = node
        judge.jobs[job].starts += 1
        if isCalm { judge.jobs[job].calmStarts += 1 }
        judge.jobs[job].live.append(run)
        checkOverlap(job: job)
        watchDeadline(run)
    }

    /// Whether nobody who looks after the job and can reach the store knows of a tick: what it has forgotten, nobody can
    /// tell it.
    private func isForgotten(_ tick: Int64, _ job: Int, but runner: Int) -> Bool {
        // Who was refused asks again a second later at most. A store may refuse for the whole of its wait after a loss.
        if now < server.refusedUntil + 1_200_000_000 { return true }
        return nodes.indices.allSatisfy { index in
            if index == runner { return true }
            let node = nodes[index]
            let link = node.link
            let isReachable = link.carriesUp && link.carriesDown && link.loss == 0 && link.lateUntil <= now
            let isUp = node.power == .on && node.daemon.isAlive && !node.daemon.isStopped
            return node.ticks[job] < tick || !isReachable || !isUp || node.daemon.shells[job] == nil
        }
    }

    /// Rule S8: no tick twice, but as another attempt at it.
    private mutating func judgeTurn(_ turn: LedgerEntry?, _ job: Int, _ node: Int, isForgiven: Bool) {
        guard let turn else { return }
        judge.saw(turn.attempt > 1 ? .retryStarted : .tickStarted)
        let last = judge.jobs[job].lastTurn
        if (turn.tick, turn.attempt) <= last, !isForgiven, !(judge.forgot && isForgotten(turn.tick, job, but: node)) {
            judge.condemn(
                "job \(job + 1) runs tick \(turn.tick), attempt \(turn.attempt), after tick \(last.tick), attempt "
                    + "\(last.attempt)")
        }
        if (turn.tick, turn.attempt) > last { judge.jobs[job].lastTurn = (turn.tick, turn.attempt) }
    }

    /// Never two live workloads of one job.
    mutating func checkOverlap(job: Int) {
        judge.jobs[job].live.removeAll { !runs[Int($0)].isLive }
        let active = judge.jobs[job].live.filter { nodes[runs[Int($0)].node].power == .on }
        guard active.count > 1 else { return }
        let thaw = active.map { nodes[runs[Int($0)].node].thawedAt }.max() ?? .min
        if active.contains(where: isExcused) {
            judge.figures.beyondOverlaps += 1
        } else if fenceOnlyUntil > now {
            judge.figures.failoverOverlaps += 1
        } else if thaw > now - thawGrace {
            judge.figures.thawOverlaps += 1
            schedule(.overlapCheck, at: thaw + thawGrace, job: job)
        } else {
            let names = active.map { "\(runs[Int($0)].runID) on node \(runs[Int($0)].node + 1)" }
            judge.condemn("job \(job + 1) runs twice: \(names.joined(separator: ", "))")
        }
    }

    private mutating func watchDeadline(_ run: Int32) {
        guard let deadline = runs[Int(run)].toldDeadline else { return }
        let last = deadline + scenario.killLatency + .milliseconds(1)
        schedule(.deadlineCheck, at: nodes[runs[Int(run)].node].clock.truth(of: last), id: run)
    }

    /// No workload outlives its deadline.
    mutating func checkDeadline(_ run: Int32) {
        let index = Int(run)
        let node = runs[index].node
        guard runs[index].isLive, let deadline = runs[index].toldDeadline else { return }
        if clock(node) < deadline + scenario.killLatency + .milliseconds(1) { return watchDeadline(run) }
        switch nodes[node].power {
        case .off: return
        case .frozen: return schedule(.deadlineCheck, at: now + thawGrace, id: run)
        case .on: break
        }
        if nodes[node].thawedAt > now - thawGrace {
            return schedule(.deadlineCheck, at: nodes[node].thawedAt + thawGrace, id: run)
        }
        if nodes[node].excusedUntil > now { return schedule(.deadlineCheck, at: now + thawGrace * 4, id: run) }
        judge.condemn(
            "\(runs[index].runID) on node \(node + 1) outlives its deadline by \(clock(node) - deadline)")
    }

    /// A lock is given back.
    mutating func judgeRelease(token: Bytes, job: Int) {
        guard let run = judge.runOfNumber[judge.number(ofToken: token)], runs[Int(run)].job == job,
            nodes[runs[Int(run)].node].power != .off
        else { return }
        if runs[Int(run)].hasProcesses {
            judge.condemn("the lock of \(runs[Int(run)].runID) is released, and processes of it are there")
        }
    }

    // MARK: The end

    /// After the last fault: every job that can run does, once.
    mutating func judgeLiveness() {
        for job in scenario.jobs.indices {
            guard nodes.indices.contains(where: { competes($0, job) }), hasBeenDue(job) else { continue }
            checkOverlap(job: job)
            let live = judge.jobs[job].live.count
            let isShort = scenario.jobs[job].work.lasts > 0
            if isShort ? judge.jobs[job].calmStarts == 0 : live != 1 {
                judge.condemn(
                    "job \(job + 1) runs \(live) times (started \(judge.jobs[job].calmStarts) times) after all faults "
                        + "have been over for so long")
            }
        }
    }

    /// The faults are over: which ticks are known to be dealt with.
    mutating func noteSettledTicks() {
        for (job, plan) in scenario.jobs.enumerated() {
            let ledger = server.model.look(at: plan.keys, withLedger: true, at: server.time(at: now)).ledger
            judge.jobs[job].settled = max(ledger?.entry?.tick ?? 0, nodes.map { $0.ticks[job] }.max() ?? 0)
        }
    }

    /// Whether a tick of the job was due early enough since the last fault. When the store's clock was put back, what was
    /// settled before is ahead of it, and until the clock has come there, no tick is due.
    private func hasBeenDue(_ job: Int) -> Bool {
        guard let schedule = scenario.jobs[job].definition.schedule,
            let next = schedule.schedule.next(after: judge.jobs[job].settled)
        else { return true }
        return next * 1_000_000 <= server.time(at: now - scenario.longest)
    }

    /// After everything was stopped: nothing is left.
    mutating func judgeLeaks() {
        var left: [String] = []
        for index in runs.indices {
            let run = runs[index]
            if run.hasProcesses { left.append("processes of \(run.runID)") }
            if run.keeper.exists { left.append("the keeper of \(run.runID)") }
            if run.guardian.exists { left.append("the guard of \(run.runID)") }
            if run.hasFolder { left.append("the folder of \(run.runID)") }
        }
        for node in nodes.indices {
            if nodes[node].daemon.isAlive { left.append("batond of node \(node + 1)") }
            for job in scenario.jobs.indices where nodes[node].jobLocks[job] != nil {
                left.append("the flock of job \(job + 1) on node \(node + 1)")
            }
        }
        if exchanges.count > 0 { left.append("\(exchanges.count) requests") }
        if mails.count > 0 { left.append("\(mails.count) mails") }
        if orders.count + reports.count > 0 { left.append("\(orders.count + reports.count) words of keepers") }
        if clearings.count > 0 { left.append("\(clearings.count) clearings") }
        for job in scenario.jobs where server.model.look(at: job.keys, at: server.time(at: now)).token != nil {
            left.append("the lock of \(job.definition.name)")
        }
        if !left.isEmpty { judge.condemn("left at the end: \(left.joined(separator: ", "))") }
    }
}

extension KeeperPhase {
    /// Nothing has been killed yet.
    fileprivate var isOrderly: Bool {
        switch self {
        case .starting, .running, .stopping, .leaseEnding: true
        case .waiting, .clearing, .ended: false
        }
    }
}
