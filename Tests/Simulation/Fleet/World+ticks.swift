// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Jobs with a schedule: the ledger is known, ticks are waited for, and claimed with the lock.
extension World {
    func tickMachine(_ schedule: ScheduleSettings, _ shell: Shell) -> TickMachine {
        TickMachine(
            TickPlanner(job: shell.definition.name, settings: schedule), node: "\(shell.node)",
            maxLockTimeout: scenario.maxLockTimeout, upSince: shell.began - .seconds(5))
    }

    /// One event through the machine, and what follows at once.
    mutating func go(on election: Election, _ event: TickMachine.Event, _ shell: Shell) {
        let (node, job) = (shell.node, shell.job)
        if election.isCancelled { return over(election, nil, shell) }
        let action = election.ticks?.handle(
            event, time: tickTime(node), floor: nodes[node].ticks[job], at: clock(node))
        judge.figures.machineEvents += 1
        note(node, "job \(job + 1): ticks: \(action.map { "\($0)" } ?? "nothing")")
        switch action {
        case .wait(let until):
            if shell.isRung {
                shell.isRung = false
                return go(on: election, .rang, shell)
            }
            if let moment = election.ticks?.dormantUntil(time: tickTime(node), early: .milliseconds(100)),
                scenario.hasDormantJobs
            {
                shell.election = nil
                shell.wakesAt = moment
                return post(.dormant(election.number), to: shell)
            }
            if election.ticks?.isIdle == true { advance(shell, .event(.waiting(.tick(election.ticks?.nextTick)))) }
            election.rest = .tick
            setAlarm(election, until)
        case .settle(let expected, let tick, _):
            judge.saw(tick == nil ? .ledgerSeen : .tickSettled)
            let request = SettleRequest(
                keys: scenario.jobs[job].keys, guarding: shell.policy.guarding, floor: nodes[node].ticks[job],
                fence: nodes[node].fences[job], expected: expected, tick: tick)
            ask(.settle(request), election, shell)
        case .claim(let turn, let expected, let until):
            judge.saw(turn.attempt > 1 ? .retryClaimed : .tickClaimed)
            claim(turn, expected, until: until, election, shell)
        case nil: break
        }
    }

    private mutating func claim(
        _ turn: TickPlan.Turn, _ expected: LedgerEntry.Key?, until: Instant?, _ election: Election, _ shell: Shell
    ) {
        let (node, job) = (shell.node, shell.job)
        runCount += 1
        election.runID = "r\(runCount)"
        let token = freshToken(node, job, election.runID)
        let claim = LedgerClaim(
            expected: expected, tick: turn.tick, attempt: turn.attempt, manual: turn.manual,
            floor: nodes[node].ticks[job],
            info: HolderRecord(node: "\(node)", runID: election.runID, since: "").encode())
        shell.waiter.note(fence: nodes[node].fences[job])
        election.machine = CompetitionMachine(
            keys: scenario.jobs[job].keys, policy: shell.policy, token: token,
            handicap: scenario.nodes[node].handicap, claim: claim)
        contest(election, .began(until: until))
    }

    // MARK: Jobs that have nothing to do

    /// The loop is over; what rang since the ledger was looked at begins another one at once.
    mutating func fallAsleep(_ shell: Shell) {
        judge.saw(.fellAsleep)
        shell.dormantUntil = shell.wakesAt
        shell.alarm.due = nil
        let (node, name) = (shell.node, shell.definition.name)
        let rings = nodes[node].daemon.dormant.rings(of: name)
        if shell.isRung { nodes[node].daemon.dormant.rang(name) }
        nodes[node].daemon.dormant.slept(name, until: shell.wakesAt, rings: rings)
        wakeJobs(node)
        wakeIfDue(shell)
    }

    /// As for the daemon's board.
    mutating func wakeJobs(_ node: Int) {
        if nodes[node].room.obstacle != nil {
            let jobs = nodes[node].daemon.dormant.passOver()
            if jobs.isEmpty { return }
            judge.saw(.passedOver)
            return recollect(.wanted(jobs), node)
        }
        for name in nodes[node].daemon.dormant.wake(at: tickTime(node)) {
            if let job = scenario.jobs.firstIndex(where: { $0.definition.name == name }), let shell = shell(node, job) {
                wakeUp(shell)
            }
        }
    }

    /// As for the daemon's timer: not for very long, so that a clock that was set is noticed.
    mutating func wakeIfDue(_ shell: Shell) {
        guard let moment = shell.dormantUntil else { return }
        let left = tickTime(shell.node).map { Duration.microseconds(min(moment - $0, 2_000_000)) } ?? .seconds(1)
        if left <= .zero { wakeJobs(shell.node) }
        // Of one that could not be woken, room is heard of.
        setAlarm(clock(shell.node) + (left <= .zero ? .seconds(2) : left), shell)
    }

    /// Another loop follows, which has nothing from the one before but what was learned of the lock. One that is told to be done is done.
    private mutating func wakeUp(_ shell: Shell) {
        if shell.isTold { return }
        judge.saw(.wokeUp)
        let next = makeShell(shell.definition, shell.node, shell.job, legacy: nil)
        next.began = shell.began
        next.waiter = shell.waiter
        next.nonces = shell.nonces
        advance(next, .begun)
    }

    mutating func wakeTicks(_ election: Election) {
        guard let shell = shell(of: election) else { return }
        let isRung = shell.isRung
        shell.isRung = false
        go(on: election, isRung ? .rang : .woke, shell)
    }

    mutating func ledgerHeard(_ answer: Answer, _ election: Election) {
        guard let shell = shell(of: election) else { return }
        switch answer {
        case .ledger(let view): go(on: election, saw(view, shell), shell)
        case _:
            advance(shell, .event(.waiting(.store("no"))))
            go(on: election, .failed(jitter: dice.unit()), shell)
        }
    }

    mutating func saw(_ view: LedgerView, _ shell: Shell) -> TickMachine.Event {
        if let entry = view.entry {
            sawTick(entry.tick, shell)
            saw(entry.fence, shell.node, shell.job)
        }
        return .saw(view)
    }

    mutating func sawTick(_ tick: Int64, _ shell: Shell) {
        nodes[shell.node].ticks[shell.job] = max(tick, nodes[shell.node].ticks[shell.job])
    }

    /// What a daemon takes for the time by which ticks are due.
    private func tickTime(_ node: Int) -> Int64? { nodes[node].daemon.latest?.likelyTime(at: clock(node)) }

    // MARK: Outcomes

    /// A run of a tick is over, or was never begun: that is written down before its lock is given back.
    mutating func note(outcomeOf lease: LeaseRecord, _ shell: Shell) {
        guard let turn = lease.turn, let runID = shell.loop.run?.runID, nodes[shell.node].outcomes[runID] == nil else {
            return
        }
        let ended = shell.ended.flatMap { $0.runID == runID ? $0.outcome : nil }
        let ending = ended?.ending ?? .withdrawn
        nodes[shell.node].outcomes[runID] = PendingOutcome(
            job: shell.job, lease: lease,
            record: RunRecord(run: turn, outcome: ending.bytes, line: ended == nil ? nil : Bytes(runID.utf8)),
            isOnDisk: nodes[shell.node].diskFullUntil <= now)
        if ended != nil, let run = judge.run(runID) { removeFolder(run) }
        sendCourier(shell.node)
    }

    func outcome(for shell: Shell) -> RunRecord? {
        shell.loop.run.flatMap { nodes[shell.node].outcomes[$0.runID]?.record }
    }

    mutating func sendCourier(_ node: Int) {
        if nodes[node].outcomes.isEmpty { return }
        let pause = scenario.longest + physics.between(0, 1_000_000_000)
        schedule(.courier, at: now + pause, node: node, job: 0, slot: nodes[node].daemon.life)
    }

    /// What no loop of a job delivers any more.
    mutating func deliverOutcomes(_ node: Int) {
        for (runID, outcome) in nodes[node].outcomes.sorted(by: { $0.key < $1.key }) {
            guard let shell = shell(node, outcome.job), shell.loop.run?.runID != runID else { continue }
            judge.saw(.outcomeLate)
            let request = shell.policy.release(
                of: scenario.jobs[outcome.job].keys, token: outcome.lease.token, outcome: outcome.record)
            send(.release(request), for: .outcome(runID: runID), by: shell, within: shell.policy.answerTimeout)
        }
        sendCourier(node)
    }

    mutating func outcomeHeard(_ answer: Answer, _ runID: String, _ node: Int) {
        if case .release = answer { nodes[node].outcomes[runID] = nil }
    }

    // MARK: Runs that make room

    mutating func awaitReplacement(_ runID: String, _ shell: Shell) {
        guard shell.definition.schedule?.overlap == .replace, let run = judge.run(runID),
            shell.loop.run?.record.turn != nil
        else { return }
        schedule(.replacement, at: now, node: shell.node, job: shell.job, id: shell.id, slot: run)
    }

    mutating func replaceIfDue(_ run: Int32, _ shell: Shell) {
        let runID = runs[Int(run)].runID
        guard let schedule = shell.definition.schedule, let active = shell.loop.run, active.runID == runID,
            let turn = active.record.turn, let time = tickTime(shell.node),
            let due = TickPlanner(job: shell.definition.name, settings: schedule).dueAfter(
                max(turn.tick, turn.fence / 1_000_000))
        else { return }
        if due > time {
            let pause = max(1_000_000, (due - time) * 1000)
            return self.schedule(
                .replacement, at: now + pause, node: shell.node, job: shell.job, id: shell.id, slot: run)
        }
        judge.saw(.replaced)
        advance(shell, .preempted(runID: runID))
    }
}
