// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A competition: the machines that decide it, and what surrounds them.
extension World {
    mutating func compete(_ shell: Shell, _ number: Int, _ legacy: LockLegacy?) {
        let (node, job) = (shell.node, shell.job)
        runCount += 1
        let runID = "r\(runCount)"
        let machine = CompetitionMachine(
            keys: scenario.jobs[job].keys, policy: shell.policy, token: freshToken(node, job, runID),
            handicap: scenario.nodes[node].handicap)
        shell.waiter.note(fence: nodes[node].fences[job])
        let election = Election(number, runID, shell, machine)
        shell.election = election
        if let schedule = shell.definition.schedule {
            election.ticks = tickMachine(schedule, shell)
            return go(on: election, .began, shell)
        }
        guard let legacy else { return contest(election, .began(until: nil)) }
        election.leftUntil = legacy.deadline
        election.handover = HandoverMachine(
            legacy, successor: .init(token: freshToken(node, job, runID), holder: [UInt8(node)]))
        handOver(election, .began)
    }

    mutating func freshToken(_ node: Int, _ job: Int, _ runID: String) -> Bytes {
        tokenCount += 1
        let token = withUnsafeBytes(of: tokenCount) { Bytes($0) }
        judge.issued(token, node: node, job: job, runID: runID)
        judge.lives[token] = nodes[node].daemon.life
        return token
    }

    /// Its loop, while that is there.
    func shell(of election: Election) -> Shell? {
        guard let shell = shell(election.node, election.job), shell.id == election.shell else { return nil }
        return shell
    }

    mutating func ask(_ request: Request, _ election: Election, _ shell: Shell) {
        send(request, for: .contest(election), by: shell, within: shell.policy.answerTimeout)
    }

    /// One event through the machine, and what follows at once.
    mutating func contest(_ election: Election, _ event: CompetitionMachine.Event) {
        guard let shell = shell(of: election) else { return }
        let node = election.node
        let action = election.machine.handle(
            event, &shell.waiter, serverTime: serverTime(node), at: clock(node))
        judge.figures.machineEvents += 1
        note(node, "job \(election.job + 1): competition: \(action)")
        if case .answered(let reply, _, _, _, _) = event { told(election.machine.reason, reply, shell) }
        if case .failed = event { advance(shell, .event(.waiting(.store("no")))) }
        switch action {
        case .wait(let until): wait(election, until: until, shell)
        case .pause(let until):
            election.rest = .pause
            setAlarm(election, until)
        case .look: ask(.look, election, shell)
        case .ask:
            var request = election.machine.request
            request.holder = [UInt8(node)]
            judgeWait(request, shell)
            if request.guarding?.claim != nil { judge.saw(.claimPresented) }
            ask(.acquire(request), election, shell)
        case .over(let ending): ended(election, ending, shell)
        }
    }

    private mutating func wait(_ election: Election, until: Instant, _ shell: Shell) {
        if election.isCancelled { return contest(election, .cancelled) }
        if shell.isRung {
            shell.isRung = false
            return contest(election, .woke)
        }
        election.rest = .wait
        setAlarm(election, until)
    }

    mutating func setAlarm(_ election: Election, _ instant: Instant) {
        election.alarm.due = instant
        let truth = nodes[election.node].clock.truth(of: instant) + physics.between(0, 200_000)
        if election.alarm.armed <= truth { return }
        election.alarm.armed = truth
        schedule(
            .contestAlarm, at: truth, node: election.node, job: election.job, id: election.shell,
            slot: elections.add(election))
    }

    mutating func contestAlarmCame(_ slot: Int32) {
        guard let election = elections.take(slot) else { return }
        if election.alarm.armed <= now { election.alarm.armed = .max }
        guard election.rest != .none, let due = election.alarm.due else { return }
        if clock(election.node) < due { return setAlarm(election, due) }
        wake(election)
    }

    private mutating func wake(_ election: Election) {
        let rest = election.rest
        election.rest = .none
        election.alarm.due = nil
        if rest == .tick { return wakeTicks(election) }
        if election.withdrawal != nil { withdraw(election, .woke) } else { contest(election, .woke) }
    }

    /// An announcement: worth asking again.
    mutating func ring(_ shell: Shell) {
        if shell.dormantUntil != nil {
            nodes[shell.node].daemon.dormant.rang(shell.definition.name)
            return wakeJobs(shell.node)
        }
        if let election = shell.election, election.rest == .tick {
            shell.isRung = true
            wake(election)
        } else if let election = shell.election, election.rest == .wait {
            wake(election)
        } else {
            shell.isRung = true
        }
        advance(shell, .rang)
    }

    mutating func cancel(_ election: Election) {
        election.isCancelled = true
        if election.rest == .none { return stopAsking(election) }
        if election.rest == .tick { return wake(election) }
        guard election.rest == .wait else { return }
        election.rest = .none
        election.alarm.due = nil
        contest(election, .cancelled)
    }

    /// What the store is being asked is not waited for.
    private mutating func stopAsking(_ election: Election) {
        if election.handover != nil || election.withdrawal != nil { return }
        for (slot, exchange) in exchanges.entries where exchange.isAwaited {
            guard case .contest(let other) = exchange.purpose, other === election else { continue }
            exchanges[slot]?.isAwaited = false
            if case .settle = exchange.request, let shell = shell(of: election) { return over(election, nil, shell) }
            return contest(election, .cancelled)
        }
    }

    mutating func contestHeard(_ answer: Answer, _ exchange: Exchange, _ election: Election) {
        if election.handover != nil { return handOver(election, handoverEvent(answer, exchange)) }
        if election.withdrawal != nil {
            if case .release = answer { return withdraw(election, .released) }
            return withdraw(election, .releaseFailed)
        }
        if case .settle = exchange.request { return ledgerHeard(answer, election) }
        switch answer {
        case .look: contest(election, .looked)
        case .acquire(let reply):
            if case .unsettled(let nonce, _) = reply, let shell = shell(of: election), shell.nonces[nonce] == nil {
                shell.nonces[nonce] = clock(election.node)
            }
            let jitter = Duration.milliseconds(dice.between(0, 12))
            contest(
                election,
                .answered(
                    reply, serverTime: exchange.serverTime, clock: exchange.clockNumber, sentAt: exchange.sentAt,
                    jitter: jitter))
        case .failure(let failure): contest(election, .failed(kind(failure), jitter: dice.unit()))
        case .renew, .release, .marked, .ledger: break
        }
    }

    private func kind(_ failure: StoreFailure) -> CompetitionMachine.Failure {
        switch failure {
        case .unknownOutcome: .unanswered
        case .unavailable: .passing
        case .refused: .final
        }
    }

    /// What the competition says while it waits.
    private mutating func told(_ reason: WaitMachine.Reason?, _ reply: AcquireReply, _ shell: Shell) {
        guard let reason else { return }
        switch reply {
        case .held(let sighting), .orphaned(let sighting): saw(sighting.fence, shell.node, shell.job)
        case .granted, .unsettled, .marked, .ledger, .late: break
        }
        switch reason {
        case .held: advance(shell, .event(.waiting(.held)))
        case .orphaned:
            judge.saw(.orphanSeen)
            advance(shell, .event(.waiting(.vanishedHolder)))
        case .unsettled(let until):
            judge.saw(.newStoreSeen)
            recollect(.storeIsNew, shell.node)
            advance(shell, .event(.waiting(.newStore(until: until))))
        case .marked(let mark): advance(shell, .event(.waiting(.mark(mark))))
        case .late: judge.saw(.requestTooLate)
        }
    }

    // MARK: Its end

    private mutating func ended(_ election: Election, _ ending: CompetitionMachine.Ending, _ shell: Shell) {
        if case .granted(let grant) = ending {
            let guarding = election.machine.request.guarding
            if guarding?.claim != nil { judge.saw(.claimGranted) }
            if guarding?.nonce != nil { judge.saw(.newStoreWaitedFor) }
            return over(election, grant, shell)
        }
        if ending == .refused { post(.event(.electionFailed("refused")), to: shell) }
        switch ending {
        case .ledger(let view): election.afterwards = saw(view, shell)
        case .timeUp: election.afterwards = .timeUp
        case .granted, .cancelled, .refused: election.afterwards = nil
        }
        guard let withdrawal = election.machine.withdrawal(at: clock(election.node)) else {
            judgeCallOver(election.machine.request.token, job: election.job, node: election.node)
            return over(election, nil, shell)
        }
        election.withdrawal = withdrawal
        judge.saw(.doubtCleared)
        withdraw(election, .began)
    }

    mutating func over(_ election: Election, _ grant: LockGrant?, _ shell: Shell) {
        if let event = election.afterwards, grant == nil, !election.isCancelled {
            election.afterwards = nil
            election.withdrawal = nil
            return go(on: election, event, shell)
        }
        if let turn = grant?.turn { sawTick(turn.tick, shell) }
        if grant != nil { judge.figures.elections += 1 }
        if shell.election === election { shell.election = nil }
        post(.electionOver(election.number, grant, runID: election.runID), to: shell)
    }

    private mutating func withdraw(_ election: Election, _ event: WithdrawalMachine.Event) {
        guard let shell = shell(of: election),
            let action = election.withdrawal?.handle(event, at: clock(election.node))
        else { return }
        judge.figures.machineEvents += 1
        switch action {
        case .release:
            let token = election.machine.request.token
            let outcome = election.machine.request.claim.map {
                RunRecord(run: $0.entry(fence: 0, at: 0), outcome: RunEnding.withdrawn.bytes, line: nil)
            }
            let keys = scenario.jobs[shell.job].keys
            ask(.release(shell.policy.release(of: keys, token: token, outcome: outcome)), election, shell)
        case .pause(let until):
            election.rest = .pause
            setAlarm(election, until)
        case .over(let doubt):
            if doubt == nil { judgeCallOver(election.machine.request.token, job: election.job, node: election.node) }
            over(election, nil, shell)
        }
    }

    // MARK: The lock of the loop before

    private mutating func handOver(_ election: Election, _ event: HandoverMachine.Event) {
        let (node, instant) = (election.node, clock(election.node))
        guard let shell = shell(of: election), let action = election.handover?.handle(event, at: instant) else {
            return
        }
        judge.figures.machineEvents += 1
        let keys = scenario.jobs[shell.job].keys
        switch action {
        case .look: ask(.look, election, shell)
        case .swap:
            guard
                let request = election.handover?.request(
                    of: keys, shell.policy, serverTime: serverTime(node), at: instant)
            else { return }
            ask(.renew(request), election, shell)
        case .release(let token): ask(.release(shell.policy.release(of: keys, token: token)), election, shell)
        case .over(let grant):
            election.handover = nil
            guard let grant else {
                return contest(election, election.isCancelled ? .cancelled : .began(until: nil))
            }
            judge.saw(.restartedInPlace)
            judgeHandover(election)
            over(election, grant, shell)
        }
    }
}
