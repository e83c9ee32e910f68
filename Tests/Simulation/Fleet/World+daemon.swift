// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The daemon's life: what comes to it, how it begins, and how it ends.
extension World {
    mutating func toDaemon(_ next: Occurrence) {
        let (node, job) = (Int(next.node), Int(next.job))
        guard nodes[node].daemon.isAlive else { return drop(next) }
        let isOurs = next.slot == nodes[node].daemon.life
        switch next.kind {
        case .answer: return answerArrived(next)
        case .timeout: return requestTimedOut(next)
        case .announcement:
            if let shell = shell(node, job) { ring(shell) }
            return
        case .report: return hear(next)
        case .archived: return isOurs ? removeFolderNow(next.id) : ()
        case .greetingTimeout: return isOurs && !nodes[node].daemon.greeting.isEmpty ? beginBoard(node) : ()
        case .daemonEnd: return isOurs ? endDaemon(node) : ()
        case .courier: return isOurs ? deliverOutcomes(node) : ()
        case .recollection: return isOurs ? recollect(.woke, node) : ()
        case _: break
        }
        guard let shell = shell(node, job), shell.id == next.id else { return drop(next) }
        switch next.kind {
        case .mail:
            guard let message = mails.take(next.slot) else { return }
            if shell.dormantUntil != nil, message == .roomChanged { return wakeJobs(node) }
            advance(shell, message)
        case .alarm: alarmCame(shell)
        case .contestAlarm: contestAlarmCame(next.slot)
        case .clearing: clearingGoesOn(next.slot, shell)
        case .forked: forked(next.slot, shell)
        case .replacement: replaceIfDue(next.slot, shell)
        case _: break
        }
    }

    // MARK: Begin

    mutating func startDaemon(_ node: Int, wanted life: Int32) {
        guard nodes[node].power == .on, nodes[node].daemon.life == life else { return }
        // The flock on the runtime directory (rule N2).
        guard !nodes[node].daemon.isAlive else { return judge.saw(.secondDaemonRefused) }
        var daemon = Daemon()
        daemon.life = life + 1
        daemon.isAlive = true
        daemon.firstLink = linkCount
        daemon.recollection = RecollectionMachine(maxLockTimeout: scenario.maxLockTimeout)
        daemon.shells = Array(repeating: nil, count: scenario.jobs.count)
        nodes[node].daemon = daemon
        nodes[node].room = RunQuota(limit: scenario.maxRuns)
        note(node, "batond begins")
        sendCourier(node)
        for job in scenario.jobs.indices {
            for run in nodes[node].folders[job] { find(run, node, job) }
        }
        if nodes[node].daemon.greeting.isEmpty { return beginBoard(node) }
        schedule(.greetingTimeout, at: now + 2_000_000_000, node: node, job: 0, slot: nodes[node].daemon.life)
    }

    /// What an earlier daemon left of one run. Its keeper is asked who it is, if that matters.
    private mutating func find(_ run: Int32, _ node: Int, _ job: Int) {
        let left = runs[Int(run)]
        let found = FoundRun(
            job: scenario.jobs[job].definition.name, runID: left.runID, lease: left.record.encode(),
            end: left.status.map { outcome($0) })
        var link: Int32?
        if found.needsGreeting, left.keeper == .alive || left.keeper == .stopped {
            link = reconnect(run)
            nodes[node].daemon.greeting.append(run)
        }
        nodes[node].daemon.found.append(Found(run: run, job: job, link: link, left: found))
    }

    private mutating func hear(_ next: Occurrence) {
        let node = Int(next.node)
        guard let word = reports.take(next.slot) else { return }
        if nodes[node].daemon.greeting.contains(next.id) { return greeted(word, next.id, node) }
        if let place = nodes[node].daemon.found.firstIndex(where: { $0.link == word.link }) {
            nodes[node].daemon.found[place].backlog.append(word)
            return
        }
        guard let shell = shell(node, Int(next.job)) else { return }
        let runID = runs[Int(next.id)].runID
        // A connection that is gone is told of, also when it was only just made.
        if let keeper = shell.keeper, keeper.link == word.link { return heard(word.report, of: runID, shell) }
        if word.report == nil, word.link > nodes[node].daemon.firstLink { heard(nil, of: runID, shell) }
    }

    /// A keeper's first word to a new daemon.
    private mutating func greeted(_ word: Word, _ run: Int32, _ node: Int) {
        guard let place = nodes[node].daemon.found.firstIndex(where: { $0.run == run && $0.link == word.link }) else {
            return
        }
        switch word.report {
        case .hello(let hello):
            judge.saw(.tookOver)
            nodes[node].daemon.found[place].hello = hello
        case nil: break
        case _: return
        }
        nodes[node].daemon.greeting.removeAll { $0 == run }
        if nodes[node].daemon.greeting.isEmpty { beginBoard(node) }
    }

    /// All that was left is known: the loops begin.
    private mutating func beginBoard(_ node: Int) {
        nodes[node].daemon.greeting = []
        let found = nodes[node].daemon.found
        nodes[node].daemon.found = []
        var kept: [(run: InheritedRun, found: Found)?] = Array(repeating: nil, count: scenario.jobs.count)
        for one in found {
            let fate = one.left.fate(one.hello, jitter: dice.unit())
            judge.saw(one.hello == nil ? (one.left.end == nil ? .inheritedDead : .inheritedEnded) : .inheritedAlive)
            guard case .inherited(let run) = fate else {
                removeFolderNow(one.run)
                continue
            }
            if !run.run.isConnected, let link = one.link { close(link, of: one.run) }
            guard let other = kept[one.job] else {
                kept[one.job] = (run, one)
                continue
            }
            let isFirst = run.precedes(other.run)
            if isFirst { kept[one.job] = (run, one) }
            let over = isFirst ? other.found : one
            if !(isFirst ? other.run : run).run.isConnected { discard(over.run) }
        }
        // Before any other job competes.
        for job in kept.indices where kept[job] != nil { nodes[node].room.add(scenario.jobs[job].definition.name) }
        for job in kept.indices {
            guard let (run, found) = kept[job] else {
                beginLoop(node, job, legacy: nil)
                continue
            }
            guard let definition = nodes[node].definitions[job] else { continue }
            nodes[node].daemon.dormant.add(definition.name, isAwake: true)
            let shell = makeShell(definition, node, job, legacy: nil)
            if let link = found.link {
                shell.arrivals.append(.init(runID: run.run.runID, run: found.run, link: link))
            }
            advance(shell, .inherited(run))
            advance(shell, .rang)
            for word in found.backlog {
                schedule(.report, at: now, node: node, job: job, id: found.run, slot: reports.add(word))
            }
            if !definition.enabled, !shell.isDone { advance(shell, .event(.drain)) }
        }
    }

    mutating func makeShell(
        _ definition: JobDefinition, _ node: Int, _ job: Int, legacy: LockLegacy?
    ) -> Shell {
        shellCount += 1
        let shell = Shell(
            id: shellCount, node: node, job: job, definition: definition, scenario: scenario, legacy: legacy,
            at: clock(node))
        // Announcements are listened to from now on, and what came before is seen by asking.
        shell.isRung = true
        nodes[node].daemon.shells[job] = shell
        return shell
    }

    mutating func beginLoop(_ node: Int, _ job: Int, legacy: LockLegacy?) {
        guard let definition = nodes[node].definitions[job], definition.enabled else { return }
        nodes[node].daemon.dormant.add(definition.name, isAwake: true)
        advance(makeShell(definition, node, job, legacy: legacy), .begun)
    }

    func competes(_ node: Int, _ job: Int) -> Bool { nodes[node].definitions[job]?.enabled == true }

    // MARK: Loops that are done

    mutating func loopIsDone(_ shell: Shell) {
        let (node, job, legacy) = (shell.node, shell.job, shell.loop.legacy)
        if nodes[node].daemon.ending == nil, competes(node, job) { return beginLoop(node, job, legacy: legacy) }
        // Nobody follows. Until the lock is released, nobody will.
        if let legacy { return giveBack(legacy, node, job, isLast: true) }
        loopIsGone(node, job)
    }

    mutating func lastLockIsGivenBack(_ shell: Shell) {
        let (node, job) = (shell.node, shell.job)
        nodes[node].room.free(scenario.jobs[job].definition.name)
        if nodes[node].daemon.ending == nil, competes(node, job) { return beginLoop(node, job, legacy: nil) }
        loopIsGone(node, job)
    }

    private mutating func loopIsGone(_ node: Int, _ job: Int) {
        nodes[node].daemon.shells[job] = nil
        guard nodes[node].daemon.ending != nil, nodes[node].daemon.shells.allSatisfy({ $0 == nil }) else { return }
        schedule(.daemonEnd, at: now + 100_000, node: node, job: job, slot: nodes[node].daemon.life)
    }

    // MARK: Other definitions

    mutating func redefine(_ definition: JobDefinition, _ node: Int, _ job: Int) {
        nodes[node].definitions[job] = definition
        // One that has not begun yet, or ends, reads no files.
        guard nodes[node].daemon.isAlive, nodes[node].daemon.greeting.isEmpty, nodes[node].daemon.ending == nil,
            nodes[node].power == .on, !nodes[node].daemon.isStopped
        else { return }
        guard let shell = shell(node, job) else { return beginLoop(node, job, legacy: nil) }
        switch shell.definition.change(to: definition).effect {
        case _ where !definition.enabled: order(.drain, shell)
        case .restart: order(.replaced, shell)
        case .none, .withoutRestart: order(.superseded(definition.restart), shell)
        }
    }

    /// Tells a loop to be done, now or after its run.
    private mutating func order(_ event: JobMachine.Event, _ shell: Shell) {
        shell.isTold = true
        nodes[shell.node].daemon.dormant.remove(shell.definition.name)
        post(.event(event), to: shell)
    }

    // MARK: End

    mutating func end(_ node: Int, _ ending: Daemon.Ending) {
        guard nodes[node].daemon.isAlive, nodes[node].daemon.ending == nil, nodes[node].daemon.greeting.isEmpty else {
            return
        }
        nodes[node].daemon.ending = ending
        let event: JobMachine.Event = ending == .drained ? .drain : .relieved
        for shell in nodes[node].daemon.shells { if let shell { order(event, shell) } }
        if nodes[node].daemon.shells.allSatisfy({ $0 == nil }) {
            schedule(.daemonEnd, at: now, node: node, job: 0, slot: nodes[node].daemon.life)
        }
    }

    private mutating func endDaemon(_ node: Int) {
        guard let ending = nodes[node].daemon.ending else { return }
        note(node, "batond ends, \(ending)")
        // It waits until what it has settled is put away.
        for job in scenario.jobs.indices {
            for run in nodes[node].folders[job] where runs[Int(run)].isSettled { removeFolderNow(run) }
        }
        dieDaemon(node)
        if isEnding { return }
        let pause = ending == .relieved ? physics.between(3_000_000, 60_000_000) : weather.between(0, scenario.longest)
        schedule(.daemonStart, at: now + pause, node: node, slot: nodes[node].daemon.life)
    }

    /// Its process is gone, however that came.
    mutating func dieDaemon(_ node: Int) {
        let (life, daemon) = (nodes[node].daemon.life, nodes[node].daemon)
        nodes[node].daemon = Daemon()
        nodes[node].daemon.life = life
        nodes[node].daemon.shells = Array(repeating: nil, count: scenario.jobs.count)
        nodes[node].outcomes = nodes[node].outcomes.filter { $0.value.isOnDisk }
        for job in scenario.jobs.indices {
            for run in nodes[node].folders[job] {
                if let link = runs[Int(run)].link, link > daemon.firstLink { close(link, of: run) }
            }
        }
        for found in daemon.found { if let link = found.link { close(link, of: found.run) } }
    }
}
