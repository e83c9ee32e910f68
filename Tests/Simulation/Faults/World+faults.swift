// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What each fault does, and how it ends.
extension World {
    /// The whole script, and the end of the world.
    mutating func begin() {
        for index in scenario.script.indices { schedule(.fault, at: scenario.script[index].at, id: Int32(index)) }
        schedule(.end, at: scenario.calm, slot: 0)
        for node in nodes.indices {
            nodes[node].daemon.shells = Array(repeating: nil, count: scenario.jobs.count)
            schedule(.daemonStart, at: physics.between(0, 50_000_000), node: node, slot: 0)
        }
    }

    mutating func inject(_ index: Int) {
        let fault = scenario.script[index]
        if isCalm { return }
        judge.figures.faults[Fault.Kind.places[fault.kind] ?? 0] += 1
        note(-1, "FAULT: \(fault)")
        if !hitStore(fault, index) {
            for node in targets(fault) { hit(node, fault, index) }
        }
    }

    private mutating func targets(_ fault: Fault) -> [Int] {
        let holder = nodes.indices.first { node in
            nodes[node].daemon.isAlive && nodes[node].daemon.shells[fault.job]?.loop.machine.leaseDeadline != nil
        }
        switch fault.target {
        case .node(let node): return [min(node, nodes.count - 1)]
        case .holder: return [holder ?? weather.below(nodes.count)]
        case .bystander:
            let node = weather.below(nodes.count)
            return [node == holder ? (node + 1) % nodes.count : node]
        case .all: return Array(nodes.indices)
        }
    }

    private mutating func relief(of index: Int, after span: Int64, node: Int = -1) {
        schedule(.relief, at: now + max(span, 1_000_000), node: node, id: Int32(index))
    }

    // MARK: The store

    /// False when it hits something else.
    private mutating func hitStore(_ fault: Fault, _ index: Int) -> Bool {
        switch fault.kind {
        case .flush:
            server.model.forgetEverything()
            judge.forgot = true
        case .loseLock: server.model.forgetLock(scenario.jobs[fault.job].keys)
        case .loseEpoch:
            server.model.forgetEpoch(scenario.jobs[fault.job].keys)
            judge.forgot = true
        case .restartWithData, .restartWithOlderData, .restartEmpty:
            guard server.condition == .up else { return true }
            server.condition = .down
            if fault.kind == .restartWithOlderData {
                server.model = server.older
                judge.forgot = true
                // Answers of a while ago say that some of these are given back.
                judge.revived.formUnion(scenario.jobs.compactMap { server.model.look(at: $0.keys, at: 0).token })
            } else if fault.kind == .restartEmpty {
                server.model.forgetEverything()
                judge.forgot = true
            }
            for node in nodes.indices { breakConnection(node) }
            relief(of: index, after: weather.happens(500) ? 5_000_000 : fault.span)
        case .storeStop:
            guard server.condition == .up else { return true }
            server.condition = .stopped
            relief(of: index, after: fault.span)
        case .storeSlow:
            server.slowness = fault.amount
            relief(of: index, after: fault.span)
        case .storeRefuses:
            server.refuses = true
            relief(of: index, after: fault.span)
        case .storeClockForward, .storeClockBack: stepServer(fault)
        case .failover:
            failOver(fault.span)
            relief(of: index, after: fault.span)
        case .replicaCut:
            cutReplica()
            relief(of: index, after: fault.span)
        case .exchange:
            exchange()
            relief(of: index, after: fault.span)
        case _: return false
        }
        return true
    }

    /// A clock that is stepped back and forth within one lease is more than Baton promises to survive.
    private mutating func stepServer(_ fault: Fault) {
        let isForward = fault.kind == .storeClockForward
        if let last = lastStep, last.isForward != isForward, now - last.at < 3 * scenario.longest { return }
        lastStep = (isForward, now)
        if !isForward { judge.clockWentBack = true }
        server.step(by: (isForward ? 1 : -1) * fault.amount / 1000)
    }

    mutating func relieveStore(_ kind: Fault.Kind) {
        switch kind {
        case .restartWithData, .restartWithOlderData, .restartEmpty:
            guard server.condition == .down else { return }
            processes += 1
            server.run = processes
            server.model.restart(as: nextIdentity())
            for place in replicas.indices where !replicas[place].followsOld && !replicas[place].isCut {
                replicas[place].model = server.model
            }
            wakeServer()
        case .storeStop: if server.condition == .stopped { wakeServer() }
        case .storeSlow: server.slowness = 0
        case .storeRefuses:
            server.refuses = false
            server.refusedUntil = now
        case .failover: endFailover()
        case .replicaCut, .exchange: mendReplicas()
        case _: break
        }
    }

    private mutating func wakeServer() {
        server.condition = .up
        let waiting = server.waiting
        server.waiting = []
        for request in waiting { schedule(.request, at: now, node: Int(request.node), slot: request.slot) }
        for node in nodes.indices { ringAll(node, after: weather.between(1_000_000, 20_000_000)) }
    }

    // MARK: A node

    private mutating func hit(_ node: Int, _ fault: Fault, _ index: Int) {
        switch fault.kind {
        case .cut, .cutUp, .cutDown:
            if fault.kind != .cutDown { nodes[node].link.carriesUp = false }
            if fault.kind != .cutUp { nodes[node].link.carriesDown = false }
            nodes[node].link.upAgain = max(nodes[node].link.upAgain, now + fault.span)
            nodes[node].link.downAgain = max(nodes[node].link.downAgain, now + fault.span)
            relief(of: index, after: fault.span, node: node)
        case .lossy:
            nodes[node].link.loss = Int(fault.amount)
            relief(of: index, after: fault.span, node: node)
        case .duplicate:
            nodes[node].link.duplicates = Int(fault.amount)
            relief(of: index, after: fault.span, node: node)
        case .late:
            nodes[node].link.lateUntil = now + fault.span
            nodes[node].link.lateness = fault.amount
        case .reset: breakConnection(node)
        case .crash, .hang, .reexec, .drain, .secondDaemon: hitDaemon(node, fault, index)
        case .keeperKill, .guardKill, .keeperStop, .guardStop, .twinsStop, .workloadKill: hitRun(node, fault, index)
        case .freeze, .powerOff, .vmPause, .clockBeyondMargin: hitMachine(node, fault, index)
        case .slowLaunch:
            nodes[node].slowLaunchUntil = now + fault.span
            nodes[node].launchDelay = fault.amount
        case .launchFails: nodes[node].launchFailsUntil = now + fault.span
        case .diskFull: nodes[node].diskFullUntil = now + fault.span
        case .restartingReload, .quietReload, .disable, .enable, .holdDown, .letRun: operate(node, fault, index)
        case .flush, .loseLock, .loseEpoch, .restartWithData, .restartWithOlderData, .restartEmpty, .storeStop,
            .storeSlow,
            .storeRefuses, .storeClockForward, .storeClockBack, .failover, .replicaCut, .exchange:
            break
        }
    }

    private mutating func hitDaemon(_ node: Int, _ fault: Fault, _ index: Int) {
        guard nodes[node].daemon.isAlive, nodes[node].power == .on, nodes[node].lastLineUntil < now else { return }
        switch fault.kind {
        case .crash: crash(node, backAfter: weather.happens(500) ? 100_000_000 : fault.span)
        case .hang:
            guard !nodes[node].daemon.isStopped else { return }
            nodes[node].daemon.isStopped = true
            relief(of: index, after: fault.span, node: node)
        case .secondDaemon: startDaemon(node, wanted: nodes[node].daemon.life)
        case .reexec: if !nodes[node].daemon.isStopped { end(node, .relieved) }
        case _: if !nodes[node].daemon.isStopped { end(node, .drained) }
        }
    }

    mutating func crash(_ node: Int, backAfter span: Int64) {
        note(node, "batond is killed")
        dieDaemon(node)
        resume(node)
        schedule(.daemonStart, at: now + span, node: node, slot: nodes[node].daemon.life)
    }

    private mutating func hitRun(_ node: Int, _ fault: Fault, _ index: Int) {
        guard nodes[node].power == .on, let run = nodes[node].jobLocks[fault.job] else { return }
        let at = Int(run)
        switch fault.kind {
        // Of keeper and guard one has to be there: nobody promises more.
        case .keeperKill: if runs[at].guardian == .alive { killKeeper(run) }
        case .guardKill: if runs[at].keeper == .alive { killGuard(run) }
        case .keeperStop:
            guard runs[at].keeper == .alive, runs[at].guardian == .alive else { return }
            runs[at].keeper = .stopped
            relief(of: index, after: fault.span, node: node)
        case .guardStop:
            guard runs[at].keeper == .alive, runs[at].guardian == .alive else { return }
            runs[at].guardian = .stopped
            relief(of: index, after: fault.span, node: node)
        case .twinsStop:
            // Then the daemon is the last line, and has to be there.
            guard runs[at].keeper == .alive, runs[at].guardian == .alive, nodes[node].daemon.isAlive,
                !nodes[node].daemon.isStopped, nodes[node].daemon.ending == nil,
                shell(node, fault.job)?.keeper?.run == run
            else { return }
            runs[at].keeper = .stopped
            runs[at].guardian = .stopped
            nodes[node].lastLineUntil = now + fault.span
            relief(of: index, after: fault.span, node: node)
        case _: schedule(.exited, at: now, node: node, id: run, slot: 9)
        }
    }

    private mutating func hitMachine(_ node: Int, _ fault: Fault, _ index: Int) {
        guard nodes[node].power == .on else { return }
        switch fault.kind {
        case .freeze, .vmPause:
            nodes[node].power = .frozen
            nodes[node].frozenAt = now
            nodes[node].isPaused = fault.kind == .vmPause
            relief(of: index, after: fault.span, node: node)
        case .powerOff:
            powerOff(node)
            relief(of: index, after: fault.span, node: node)
        case _:
            nodes[node].clock.change(to: fault.amount, at: now)
            nodes[node].excusedUntil = .max
            nodes[node].pause = nil
            nodes[node].wasBeyond = true
            relief(of: index, after: fault.span, node: node)
        }
    }

    // MARK: Relief

    mutating func relieve(_ index: Int, _ node: Int) {
        let fault = scenario.script[index]
        note(node, "over: \(fault.kind.rawValue)")
        relieveStore(fault.kind)
        guard node >= 0 else { return }
        switch fault.kind {
        case .cut, .cutUp, .cutDown: if now >= nodes[node].link.upAgain { heal(node) }
        case .lossy: nodes[node].link.loss = 0
        case .duplicate: nodes[node].link.duplicates = 0
        case .hang:
            // Systemd's watchdog may have lost patience.
            if weather.happens(300), nodes[node].daemon.isStopped, nodes[node].lastLineUntil < now {
                return crash(node, backAfter: 100_000_000)
            }
            continueDaemon(node)
        case .keeperStop, .guardStop, .twinsStop: continueRuns(node)
        case .freeze, .vmPause: thaw(node)
        case .powerOff: boot(node)
        case .clockBeyondMargin: mendClock(node)
        case .disable: operatorEnables(node, fault.job)
        case .holdDown: setMark(nil, node, fault.job)
        case _: break
        }
    }

    mutating func heal(_ node: Int) {
        nodes[node].link.carriesUp = true
        nodes[node].link.carriesDown = true
        ringAll(node, after: weather.between(1_000_000, 50_000_000))
    }

    mutating func continueDaemon(_ node: Int) {
        guard nodes[node].daemon.isStopped else { return }
        nodes[node].daemon.isStopped = false
        resume(node)
    }

    mutating func startIfDown(_ node: Int) {
        guard nodes[node].power == .on, !nodes[node].daemon.isAlive else { return }
        schedule(.daemonStart, at: now, node: node, slot: nodes[node].daemon.life)
    }

    mutating func continueRuns(_ node: Int) {
        for index in runs.indices where runs[index].node == node {
            if runs[index].keeper == .stopped {
                runs[index].keeper = .alive
                runs[index].continuedAt = now
            }
            if runs[index].guardian == .stopped { runs[index].guardian = .alive }
        }
        resume(node)
    }
}
