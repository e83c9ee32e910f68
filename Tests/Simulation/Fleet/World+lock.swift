// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What the holder of a lock asks of the store.
extension World {
    mutating func renew(_ active: ActiveRun, until deadline: Instant, within limit: Duration, _ shell: Shell) {
        let needsToken = active.isInherited && active.record.successor == nil
        let token = needsToken ? freshToken(shell.node, shell.job, active.runID) : []
        judge.lives[token] = nil
        judgeBelief(deadline, active.runID, shell.node)
        shell.renewal = RenewalMachine(
            active.record, isInherited: active.isInherited, fresh: token, holder: [UInt8(shell.node)],
            jitter: dice.unit())
        shell.renewed = active.runID
        goOn(renewal: .began, until: deadline, within: limit, shell)
    }

    private mutating func goOn(
        renewal event: RenewalMachine.Event, until deadline: Instant = .distantFuture, within limit: Duration = .zero,
        _ shell: Shell
    ) {
        guard let runID = shell.renewed else { return }
        var event = event
        while let action = shell.renewal?.handle(event) {
            switch action {
            case .remember(let record):
                // A disk that is full takes nothing.
                let isFull = nodes[shell.node].diskFullUntil > now
                if !isFull, let run = judge.run(runID) { runs[Int(run)].record = record }
                event = isFull ? .notRemembered : .remembered
            case .send:
                guard
                    let request = shell.renewal?.request(
                        of: scenario.jobs[shell.job].keys, shell.policy, deadline: deadline,
                        serverTime: serverTime(shell.node), at: clock(shell.node))
                else { return }
                judgeHolder(.renew(request), isRenewing: false)
                judgeToken(request, runID, shell.node)
                return send(.renew(request), for: .renewal, by: shell, within: limit)
            case .over(let event, let record):
                shell.renewal = nil
                if record?.successor == nil, record != nil { judge.saw(.adopted) }
                return advance(shell, .renewed(runID: runID, event, record))
            }
        }
    }

    mutating func goOn(release event: ReleaseMachine.Event, _ mark: Mark?, _ shell: Shell) {
        guard let action = shell.releasing?.handle(event) else { return }
        switch action {
        case .release(let token):
            let request = Request.release(
                shell.policy.release(
                    of: scenario.jobs[shell.job].keys, token: token, mark: mark, outcome: outcome(for: shell)))
            judgeHolder(request, isRenewing: shell.renewal != nil)
            send(request, for: .release(mark), by: shell, within: shell.policy.answerTimeout)
        case .over(let isReleased):
            shell.releasing = nil
            if isReleased, let run = shell.loop.run {
                judgeReleased(run, shell.job)
                nodes[shell.node].outcomes[run.runID] = nil
            }
            advance(shell, .event(isReleased ? .released : .releaseFailed))
        }
    }

    mutating func lookAtMark(_ shell: Shell, tries: Int = 0) {
        if tries == 5 { return }
        send(.look, for: .markLook(tries: tries), by: shell, within: shell.policy.answerTimeout)
    }

    /// What the store said, to whoever asked.
    mutating func answered(_ answer: Answer, _ exchange: Exchange) {
        switch exchange.purpose {
        case .contest(let election): return contestHeard(answer, exchange, election)
        case .restitution(let restitution): return goOn(restitution, handoverEvent(answer, exchange))
        case .operatorMark: return
        case .outcome(let runID): return outcomeHeard(answer, runID, exchange.node)
        case .recollection: return recollectionHeard(answer, exchange)
        case .markLook, .renewal, .release: break
        }
        guard let shell = shell(exchange.node, exchange.job), shell.id == exchange.shell else { return }
        switch exchange.purpose {
        case .markLook(let tries):
            guard case .look(let view) = answer else { return lookAtMark(shell, tries: tries + 1) }
            advance(shell, .event(.markSeen(view.mark)))
        case .renewal:
            guard case .renew(let reply) = answer else { return goOn(renewal: .failed, shell) }
            goOn(renewal: .answered(reply, sentAt: exchange.sentAt, granted: exchange.granted), shell)
        case .release(let mark):
            guard case .release(let wasOurs) = answer else { return goOn(release: .failed, mark, shell) }
            goOn(release: .answered(wasOurs: wasOurs), mark, shell)
        case .contest, .restitution, .operatorMark, .outcome, .recollection: break
        }
    }

    // MARK: A lock that nobody follows

    mutating func giveBack(_ legacy: LockLegacy, _ node: Int, _ job: Int, isLast: Bool = false) {
        goOn(Restitution(node: node, job: job, legacy, isLast: isLast), .began)
    }

    private mutating func goOn(_ restitution: Restitution, _ event: HandoverMachine.Event) {
        let (node, job) = (restitution.node, restitution.job)
        switch restitution.machine.handle(event, at: clock(node)) {
        case .release(let token):
            guard let shell = shell(node, job) else { return }
            send(
                .release(shell.policy.release(of: scenario.jobs[job].keys, token: token)),
                for: .restitution(restitution), by: shell, within: shell.policy.answerTimeout)
        case .over: if restitution.isLast, let shell = shell(node, job) { lastLockIsGivenBack(shell) }
        case .look, .swap: break
        }
    }

    func handoverEvent(_ answer: Answer, _ exchange: Exchange) -> HandoverMachine.Event {
        switch answer {
        case .look(let view): .looked(view.mark)
        case .renew(let reply): .answered(reply, sentAt: exchange.sentAt, granted: exchange.granted)
        case .release: .released
        case .acquire, .marked, .ledger, .failure: .failed
        }
    }
}
