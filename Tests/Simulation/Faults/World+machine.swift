// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Machines that freeze, lose their power, and boot; operators; and the end of all faults.
extension World {
    mutating func thaw(_ node: Int) {
        guard nodes[node].power == .frozen else { return }
        nodes[node].power = .on
        nodes[node].thawedAt = now
        if nodes[node].isPaused {
            // Its clock stood still: until the next word from the store it does not know.
            nodes[node].clock.skip(from: nodes[node].frozenAt, to: now)
            nodes[node].isPaused = false
            nodes[node].wasBeyond = true
            let daemon = nodes[node].daemon
            let isPauseAlone = nodes[node].excusedUntil <= now
            nodes[node].pause =
                isPauseAlone
                ? .init(
                    life: daemon.life, clockNumber: daemon.clockNumber, begin: nodes[node].frozenAt, end: clock(node))
                : nil
            nodes[node].excusedUntil = max(nodes[node].excusedUntil, now + 2 * scenario.longest)
        }
        resume(node)
        for job in scenario.jobs.indices { checkOverlap(job: job) }
    }

    mutating func powerOff(_ node: Int) {
        note(node, "the power is gone")
        dieDaemon(node)
        nodes[node].power = .off
        nodes[node].firstLife = nodes[node].daemon.life + 1
        judge.endLeases(ofNode: node)
        for occurrence in nodes[node].deferred { drop(occurrence) }
        nodes[node].deferred = []
        for index in runs.indices where runs[index].node == node {
            runs[index].keeper = .gone
            runs[index].guardian = .gone
            runs[index].hasFolder = false
            runs[index].main = .dead
            runs[index].strays = 0
        }
        for job in scenario.jobs.indices {
            nodes[node].folders[job] = []
            nodes[node].jobLocks[job] = nil
        }
    }

    mutating func boot(_ node: Int) {
        guard nodes[node].power == .off else { return }
        nodes[node].power = .on
        nodes[node].clock = NodeClock(base: 5_000_000_000, rate: nodes[node].clock.rate, at: now)
        schedule(.daemonStart, at: now + physics.between(0, 50_000_000), node: node, slot: nodes[node].daemon.life)
    }

    mutating func mendClock(_ node: Int) {
        nodes[node].clock.change(to: scenario.nodes[node].rate, at: now)
        nodes[node].excusedUntil = now + 2 * scenario.longest
    }

    // MARK: Operators

    mutating func operate(_ node: Int, _ fault: Fault, _ index: Int) {
        let job = fault.job
        guard var definition = nodes[node].definitions[job] else { return }
        switch fault.kind {
        case .restartingReload:
            definition.command = .program(["\(now)"])
            redefine(definition, node, job)
        case .quietReload:
            let timeout = scenario.jobs[job].definition.lock.timeout
            definition.lock.timeout = weather.happens(500) ? timeout : timeout * 9 / 10
            definition.restart.delay = timeout / weather.between(2, 50)
            redefine(definition, node, job)
        case .disable:
            definition.enabled = false
            redefine(definition, node, job)
            schedule(.relief, at: now + max(fault.span, 1_000_000), node: node, id: Int32(index))
        case .enable: operatorEnables(node, job)
        case .holdDown:
            setMark(Mark(kind: .heldDown), node, job)
            schedule(.relief, at: now + max(fault.span, 1_000_000), node: node, id: Int32(index))
        case _: setMark(nil, node, job)
        }
    }

    mutating func operatorEnables(_ node: Int, _ job: Int) {
        guard var definition = nodes[node].definitions[job], !definition.enabled, scenario.jobs[job].nodes[node] else {
            return
        }
        definition.enabled = true
        redefine(definition, node, job)
    }

    /// `batonctl stop` and `run`, on one of the nodes.
    mutating func setMark(_ mark: Mark?, _ node: Int, _ job: Int) {
        guard nodes[node].daemon.isAlive, nodes[node].power == .on, !nodes[node].daemon.isStopped,
            let shell = shell(node, job)
        else { return }
        send(.mark(mark), for: .operatorMark, by: shell, within: .seconds(1))
        if mark == nil { post(.event(.runRequested), to: shell) }
    }

    // MARK: The end

    /// 0: everything is mended; 3: operators as well; 1: everything must be well, and is stopped; 2: nothing must be left.
    mutating func endStage(_ stage: Int32) {
        switch stage {
        case 0:
            mend()
            noteSettledTicks()
            schedule(.end, at: now + 4 * scenario.longest, slot: 3)
            schedule(.end, at: now + 4 * scenario.longest + settling, slot: 1)
        case 3: letEverythingRun()
        case 1:
            judgeLiveness()
            isEnding = true
            for node in nodes.indices { end(node, .drained) }
            schedule(.end, at: now + settling, slot: 2)
        case _:
            judgeLeaks()
            isOver = true
        }
    }

    /// The longest that it may take until everything runs: a wait for a new store, a lease that has to run out, pauses
    /// after failures, and stops.
    private var settling: Int64 { 6 * scenario.longest + 12_000_000_000 }

    private mutating func mend() {
        note(-1, "all faults are over")
        isCalm = true
        server.slowness = 0
        if server.refuses { server.refusedUntil = now }
        server.refuses = false
        for kind in [.restartWithData, .storeStop, .failover, .replicaCut] as [Fault.Kind] { relieveStore(kind) }
        for node in nodes.indices {
            nodes[node].link = Link()
            nodes[node].slowLaunchUntil = 0
            nodes[node].launchFailsUntil = 0
            nodes[node].diskFullUntil = 0
            if nodes[node].clock.rate != scenario.nodes[node].rate, nodes[node].power != .off { mendClock(node) }
            thaw(node)
            boot(node)
            continueDaemon(node)
            continueRuns(node)
            startIfDown(node)
            ringAll(node, after: 20_000_000)
            for job in scenario.jobs.indices {
                operatorEnables(node, job)
                // What was said to a daemon that could not hear it is said again.
                if let definition = nodes[node].definitions[job], shell(node, job) == nil {
                    redefine(definition, node, job)
                }
            }
        }
    }

    /// What operators said is taken back, when nothing of it is on its way any more.
    private mutating func letEverythingRun() {
        for job in scenario.jobs.indices {
            server.model.setMark(nil, on: scenario.jobs[job].keys, at: server.time(at: now))
            for node in nodes.indices { schedule(.announcement, at: now + 1_000_000, node: node, job: job) }
        }
    }
}
