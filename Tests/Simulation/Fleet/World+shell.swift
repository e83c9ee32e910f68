// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What a job's loop says is to be done, in this world.
extension World {
    func shell(_ node: Int, _ job: Int) -> Shell? { nodes[node].daemon.shells[job] }

    /// Puts something into the mailbox of a job's loop, if the loop is still there by then.
    mutating func post(_ message: JobLoop.Message, to shell: Shell) {
        schedule(.mail, at: now, node: shell.node, job: shell.job, id: shell.id, slot: mails.add(message))
    }

    /// One message through the loop, and its effects.
    mutating func advance(_ shell: Shell, _ message: JobLoop.Message) {
        let node = shell.node
        let instant = clock(node)
        let obstacle = nodes[node].room.obstacle
        let effects = shell.loop.handle(message, room: &nodes[node].room, jitter: dice.unit(), at: instant)
        judge.figures.machineEvents += 1
        note(node, "job \(shell.job + 1): \(message) -> \(Self.told(effects))")
        for effect in effects { perform(effect, shell) }
        if shell.loop.run?.isConnected != true { shell.keeper = nil }
        if nodes[node].room.obstacle != obstacle { tellOfRoom(node) }
        finishIfDone(shell)
    }

    private mutating func tellOfRoom(_ node: Int) {
        for shell in nodes[node].daemon.shells { if let shell { post(.roomChanged, to: shell) } }
    }

    /// Without what only a log needs.
    private static func told(_ effects: [JobLoop.Effect]) -> [JobLoop.Effect] {
        effects.filter { if case .moved = $0 { false } else { true } }
    }

    private mutating func finishIfDone(_ shell: Shell) {
        if shell.loop.isDormant, shell.dormantUntil == nil { fallAsleep(shell) }
        guard shell.loop.isDone, !shell.isDone else { return }
        shell.isDone = true
        loopIsDone(shell)
    }

    private mutating func perform(_ effect: JobLoop.Effect, _ shell: Shell) {
        let (node, job) = (shell.node, shell.job)
        switch effect {
        case .compete(let number, let legacy): compete(shell, number, legacy)
        case .withdraw: if let election = shell.election { cancel(election) }
        case .giveBack(let legacy): giveBack(legacy, node, job)
        case .launch(let runID, let record): launch(shell, runID, record)
        case .listen(let runID):
            guard let place = shell.arrivals.firstIndex(where: { $0.runID == runID }) else { return }
            shell.keeper = shell.arrivals.remove(at: place)
            awaitReplacement(runID, shell)
        case .dismiss(let runID): dismiss(runID, shell)
        case .tell(let order): tell(order, shell)
        case .clear(let runID): clear(runID, shell)
        case .killKeeper: if let keeper = shell.keeper { killKeeper(keeper.run) }
        case .renew(let active, let deadline, let limit): renew(active, until: deadline, within: limit, shell)
        case .release(let record, let mark):
            shell.releasing = ReleaseMachine(record)
            note(outcomeOf: record, shell)
            goOn(release: .began, mark, shell)
        case .settle(let active, let outcome):
            if active.record.turn != nil {
                shell.ended = (active.runID, outcome)
            } else if let run = judge.run(active.runID) {
                removeFolder(run)
            }
        case .lookAtMark: lookAtMark(shell)
        case .recollect: recollect(.wanted([scenario.jobs[job].definition.name]), node)
        case .noteFence(let fence):
            judgeFence(fence, node, job)
            saw(fence, node, job)
        case .wake(let instant): setAlarm(instant, shell)
        case .moved: break
        }
    }

    mutating func saw(_ fence: Int64, _ node: Int, _ job: Int) {
        nodes[node].fences[job] = max(fence, nodes[node].fences[job])
    }

    // MARK: Timers

    mutating func setAlarm(_ instant: Instant, _ shell: Shell) {
        shell.alarm.due = instant
        let truth = nodes[shell.node].clock.truth(of: instant) + physics.between(0, 200_000)
        if shell.alarm.armed <= truth { return }
        shell.alarm.armed = truth
        schedule(.alarm, at: truth, node: shell.node, job: shell.job, id: shell.id)
    }

    mutating func alarmCame(_ shell: Shell) {
        if shell.alarm.armed <= now { shell.alarm.armed = .max }
        guard let due = shell.alarm.due else { return }
        if clock(shell.node) < due { return setAlarm(due, shell) }
        shell.alarm.due = nil
        if shell.dormantUntil != nil { return wakeIfDue(shell) }
        advance(shell, .event(.woke))
    }

    // MARK: Keepers

    private mutating func tell(_ order: KeeperOrder, _ shell: Shell) {
        guard let keeper = shell.keeper else { return }
        switch order {
        case .go(let deadline), .extend(let deadline):
            judgeDeadline(deadline, keeper.runID, shell.node)
            judgeRevival(runs[Int(keeper.run)].toldDeadline, shell.node)
        case .stop, .kill, .tail, .ack, .output: break
        }
        self.order(order, keeper)
    }

    private mutating func launch(_ shell: Shell, _ runID: String, _ record: LeaseRecord) {
        let (node, job) = (shell.node, shell.job)
        let run = addRun(runID, record, shell.definition, node, job)
        let delay = nodes[node].slowLaunchUntil > now && physics.happens(500) ? nodes[node].launchDelay : 0
        schedule(
            .forked, at: now + physics.between(300_000, 4_000_000) + physics.between(0, delay), node: node, job: job,
            id: shell.id, slot: run)
    }

    /// The thread that launches has come to the fork: from here on the keeper lives without us.
    mutating func forked(_ run: Int32, _ shell: Shell) {
        let (node, job) = (shell.node, shell.job)
        let runID = runs[Int(run)].runID
        if max(nodes[node].launchFailsUntil, nodes[node].diskFullUntil) > now {
            judge.saw(.launchFailed)
            return advance(shell, .launchFailed(runID: runID, "no"))
        }
        let link = connect(run)
        nodes[node].folders[job].append(run)
        runs[Int(run)].keeper = .coming
        runs[Int(run)].guardian = .alive
        runs[Int(run)].hasFolder = true
        let delay = nodes[node].slowLaunchUntil > now && physics.happens(500) ? nodes[node].launchDelay : 0
        schedule(
            .keeperUp, at: now + physics.between(200_000, 5_000_000) + physics.between(0, delay), node: node, job: job,
            id: run)
        shell.arrivals.append(.init(runID: runID, run: run, link: link))
        advance(shell, .launched(runID: runID))
    }

    private mutating func dismiss(_ runID: String, _ shell: Shell) {
        var keeper = shell.keeper
        if let place = shell.arrivals.firstIndex(where: { $0.runID == runID }) {
            keeper = shell.arrivals.remove(at: place)
        }
        guard let keeper else { return }
        close(keeper.link, of: keeper.run)
        discard(keeper.run)
    }

    /// A keeper's word; nil: the connection, or the keeper, is gone.
    mutating func heard(_ report: KeeperReport?, of runID: String, _ shell: Shell) {
        switch report {
        case .hello(let hello): if hello.phase == .waiting { advance(shell, .keeper(runID: runID, .ready)) }
        case .started(let pid, _): advance(shell, .keeper(runID: runID, .started(pid: pid)))
        case .ended(let end): advance(shell, .keeper(runID: runID, .ended(outcome(end))))
        case .startFailed, .tail, .output, .notified: break
        case nil: advance(shell, .keeper(runID: runID, .hungUp))
        }
    }
}
