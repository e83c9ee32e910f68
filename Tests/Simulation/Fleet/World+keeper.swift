// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The keeper's process around its machine, and its guard.
extension World {
    mutating func addRun(
        _ runID: String, _ record: LeaseRecord, _ definition: JobDefinition, _ node: Int, _ job: Int
    ) -> Int32 {
        let machine = KeeperMachine(
            lostGrace: definition.lock.lostGrace, stopSignal: definition.stop.signal,
            stopTimeout: definition.stop.timeout)
        let number = judge.number(runID)
        runs.append(
            Run(
                runID: runID, number: number, node: node, job: job, fence: record.fence, machine: machine,
                work: scenario.jobs[job].work, lostGrace: definition.lock.lostGrace, record: record))
        judge.runOfNumber[number] = Int32(runs.count - 1)
        return Int32(runs.count - 1)
    }

    // MARK: Connections

    /// A connection between a daemon and a keeper that it has just forked.
    mutating func connect(_ run: Int32) -> Int32 {
        linkCount += 1
        runs[Int(run)].link = linkCount
        return linkCount
    }

    /// A daemon connects to a keeper that was there before it.
    mutating func reconnect(_ run: Int32) -> Int32 {
        linkCount += 1
        say(.connection, over: linkCount, to: run)
        return linkCount
    }

    mutating func close(_ link: Int32, of run: Int32) { say(.end, over: link, to: run) }

    mutating func order(_ order: KeeperOrder, _ keeper: Shell.Attachment) {
        let (run, link) = (keeper.run, keeper.link)
        switch order {
        case .go(let deadline), .extend(let deadline):
            runs[Int(run)].toldDeadline = max(deadline, runs[Int(run)].toldDeadline ?? deadline)
        case .stop, .kill, .tail, .ack, .output: break
        }
        say(.order(order), over: link, to: run)
    }

    private mutating func say(_ content: Order.Content, over link: Int32, to run: Int32) {
        let slot = orders.add(Order(link: link, content: content))
        schedule(.order, at: now + 30_000, node: runs[Int(run)].node, id: run, slot: slot)
    }

    private mutating func report(_ report: KeeperReport?, over link: Int32?, of run: Int32) {
        guard let link else { return }
        let slot = reports.add(Word(link: link, report: report))
        schedule(
            .report, at: now + 30_000, node: runs[Int(run)].node, job: runs[Int(run)].job, id: run, slot: slot)
    }

    // MARK: The keeper

    mutating func toKeeper(_ next: Occurrence) {
        let run = next.id
        let index = Int(run)
        switch next.kind {
        case .keeperUp:
            guard runs[index].keeper == .coming else { return }
            runs[index].keeper = .alive
            // What an exec has not seen any more: the daemon that forked it may be gone by now.
            if let other = nodes[runs[index].node].jobLocks[runs[index].job], other != run {
                judge.saw(.jobLockRefused)
                keep(run, .connected)
                return keep(run, .startFailed(step: .lock, errno: 11))
            }
            nodes[runs[index].node].jobLocks[runs[index].job] = run
            keep(run, .connected)
        case .keeperTimer:
            guard runs[index].keeper == .alive, let wake = runs[index].keeperWake else { return }
            if clock(runs[index].node) < wake { return armKeeper(run, wake) }
            keep(run, .woke)
        case .order:
            guard let order = orders.take(next.slot) else { return }
            // What is sent to a process that is not up yet waits in its socket.
            if runs[index].keeper == .coming { return sayAgain(order, to: run) }
            if runs[index].keeper == .alive { obey(order, run) }
        case .reaped:
            guard runs[index].keeper == .alive else { return }
            lookAtChildren(run, next.slot)
        case .guardDeath: if runs[index].keeper == .alive { keep(run, .guardDied) }
        case _: break
        }
    }

    private mutating func sayAgain(_ order: Order, to run: Int32) {
        schedule(.order, at: now + 100_000, node: runs[Int(run)].node, id: run, slot: orders.add(order))
    }

    private mutating func obey(_ order: Order, _ run: Int32) {
        let index = Int(run)
        switch order.content {
        case .connection:
            let before = runs[index].link
            runs[index].link = order.link
            report(nil, over: before, of: run)
            keep(run, .connected)
        case .end:
            guard runs[index].link == order.link else { return }
            runs[index].link = nil
            keep(run, .connectionLost)
        case .order(let said):
            guard runs[index].link == order.link else { return judge.saw(.staleOrder) }
            switch said {
            case .go(let deadline):
                keep(run, .goReceived(deadline: deadline))
                runs[index].heardDeadline = max(deadline, runs[index].heardDeadline ?? deadline)
            case .extend(let deadline):
                keep(run, .extended(deadline: deadline))
                runs[index].heardDeadline = max(deadline, runs[index].heardDeadline ?? deadline)
            case .stop: keep(run, .stopRequested)
            case .kill: keep(run, .killRequested)
            case .ack: keep(run, .acknowledged)
            case .tail, .output: break
            }
        }
    }

    /// One event through the keeper's machine, and what it says done.
    mutating func keep(_ run: Int32, _ event: KeeperMachine.Event) {
        let index = Int(run)
        let node = runs[index].node
        let instant = clock(node)
        let before = runs[index].machine.phase
        let actions = runs[index].machine.handle(event, at: instant)
        judge.figures.machineEvents += 1
        let told = runs[index].runID
        note(node, "\(told): keeper: \(event) -> \(actions)")
        let board = runs[index].boardDeadline
        runs[index].boardDeadline = runs[index].machine.deadline
        if board == nil, let deadline = runs[index].boardDeadline { armGuard(run, deadline + .milliseconds(10)) }
        judgeKeeper(run, from: before, at: instant)
        judgeKeeper(run, from: before, deadline: board, at: instant)
        for action in actions { perform(action, run) }
    }

    private mutating func perform(_ action: KeeperMachine.Action, _ run: Int32) {
        let index = Int(run)
        switch action {
        case .greet(let phase, let deadline, let pid):
            let hello = KeeperReport.Hello(
                runID: runs[index].runID, phase: phase, deadline: deadline, workload: pid, keeper: 1, guardian: 1,
                realtime: true)
            report(.hello(hello), over: runs[index].link, of: run)
        case .startWorkload: startWorkload(run)
        case .signalWorkload(let signal): signalWorkload(run, signal)
        case .killTree:
            if runs[index].machine.phase == .clearing { judge.saw(.cleared) }
            killTree(run)
            schedule(.reaped, at: now + 50_000, node: runs[index].node, id: run, slot: 0)
        case .report(let word): report(word, over: runs[index].link, of: run)
        case .writeStatus(let end):
            runs[index].status = end
            let (told, at) = (runs[index].runID, runs[index].node)
            note(at, "\(told): ended, \(end.reason)")
            judgeEnd(run)
            unlock(run)
        case .exit:
            runs[index].keeper = .gone
            runs[index].guardian = .gone
            unlock(run)
            keeperIsGone(run)
        case .wake(let instant):
            runs[index].keeperWake = instant
            armKeeper(run, instant)
        }
    }

    private mutating func armKeeper(_ run: Int32, _ instant: Instant) {
        let node = runs[Int(run)].node
        let late = physics.between(0, physics.happens(20) ? 10_000_000 : 300_000)
        schedule(.keeperTimer, at: nodes[node].clock.truth(of: instant) + late, node: node, id: run)
    }

    mutating func unlock(_ run: Int32) {
        let (node, job) = (runs[Int(run)].node, runs[Int(run)].job)
        if nodes[node].jobLocks[job] == run { nodes[node].jobLocks[job] = nil }
    }

    /// The daemon sees the connection end, and the process.
    private mutating func keeperIsGone(_ run: Int32) {
        let link = runs[Int(run)].link
        report(nil, over: link, of: run)
        report(nil, over: link, of: run)
        runs[Int(run)].link = nil
    }

    mutating func killKeeper(_ run: Int32) {
        guard runs[Int(run)].keeper.exists else { return }
        let (told, at) = (runs[Int(run)].runID, runs[Int(run)].node)
        note(at, "\(told): the keeper is killed")
        runs[Int(run)].keeper = .gone
        keeperIsGone(run)
        // PR_SET_PDEATHSIG: its child goes with it.
        schedule(.exited, at: now + physics.between(20_000, 300_000), node: runs[Int(run)].node, id: run, slot: 9)
        schedule(.keeperDeath, at: now + physics.between(50_000, 2_000_000), node: runs[Int(run)].node, id: run)
    }

    mutating func killGuard(_ run: Int32) {
        guard runs[Int(run)].guardian.exists else { return }
        let (told, at) = (runs[Int(run)].runID, runs[Int(run)].node)
        note(at, "\(told): the guard is killed")
        runs[Int(run)].guardian = .gone
        schedule(.guardDeath, at: now + physics.between(50_000, 2_000_000), node: runs[Int(run)].node, id: run)
        // Nobody holds the job's flock any more.
        if !runs[Int(run)].keeper.exists { unlock(run) }
    }

    // MARK: The guard

    private mutating func armGuard(_ run: Int32, _ instant: Instant) {
        guard runs[Int(run)].guardian.exists else { return }
        runs[Int(run)].guardNext = instant
        let node = runs[Int(run)].node
        schedule(
            .guardTimer, at: nodes[node].clock.truth(of: instant) + physics.between(0, 300_000), node: node, id: run)
    }

    mutating func toGuard(_ next: Occurrence) {
        let run = next.id
        let index = Int(run)
        guard runs[index].guardian == .alive else { return }
        if next.kind == .keeperDeath { return afterKeeper(run) }
        // The deadline in shared memory, as the keeper left it.
        guard runs[index].keeper.exists, let deadline = runs[index].boardDeadline else { return }
        let instant = clock(runs[index].node)
        var next = deadline + .milliseconds(10)
        if instant >= next {
            if runs[index].hasProcesses {
                judge.saw(.guardKilled)
                judgeMissedDeadline(run)
            }
            killTree(run)
            next = instant + .milliseconds(100)
        }
        armGuard(run, next)
    }

    /// The keeper died: everything is killed, and then the status says so.
    private mutating func afterKeeper(_ run: Int32) {
        let index = Int(run)
        if runs[index].hasProcesses {
            judge.saw(.guardKilled)
            killTree(run)
            return schedule(.keeperDeath, at: now + 2_000_000, node: runs[index].node, id: run)
        }
        if runs[index].status == nil {
            runs[index].status = RunEnd(reason: .keeperLost, at: clock(runs[index].node))
            judgeEnd(run)
        }
        runs[index].guardian = .gone
        unlock(run)
    }
}

/// What the keeper sees of its children.
extension World {
    mutating func lookAtChildren(_ run: Int32, _ what: Int32) {
        let index = Int(run)
        if what == 1 { keep(run, .workloadStarted(pid: 100)) }
        if what == 2 { keep(run, .startFailed(step: .resources, errno: 62)) }
        if runs[index].main == .dead, !runs[index].isReaped {
            runs[index].isReaped = true
            if let exit = runs[index].exit { keep(run, .mainExited(exit)) }
        }
        guard runs[index].machine.phase == .clearing, !runs[index].hasProcesses else { return }
        keep(run, .treeEmpty)
    }
}
