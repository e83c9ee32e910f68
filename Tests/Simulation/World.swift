// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A whole fleet in one thread: everything that there is, and what is to happen next.
///
/// Whatever decides is Baton's own: the machines and the store's model of `BatonCore`. Here is what surrounds them: time,
/// a network, processes, machines, and what can happen to each.
struct World {
    let scenario: Scenario
    /// True time.
    var now: Int64 = 0
    var queue = EventQueue()
    /// What the network does, what machines and processes do, what Baton itself draws.
    var weather: Chance
    var physics: Chance
    var dice: Chance

    var server: Server
    /// A primary that was replaced and still answers.
    var oldServer: Server?
    var isServingOld = false
    var replicas: [Replica] = []
    /// The process that is not the primary now.
    var otherRun = 2
    var processes = 2
    /// How many identities servers have had.
    var lives = 1
    /// Until when nothing is promised but the fence.
    var fenceOnlyUntil: Int64 = .min
    /// Until when nothing is promised, because a clock beyond the margin has said that a store may grant.
    var beyondUntil: Int64 = .min
    var exchanges = Slots<Exchange>()
    var mails = Slots<JobLoop.Message>()
    var elections = Slots<Election>()
    var orders = Slots<Order>()
    var reports = Slots<Word>()
    var clearings = Slots<Clearing>()

    var nodes: [Node]
    var runs: [Run] = []
    var shellCount: Int32 = 0
    var linkCount: Int32 = 0
    var runCount = 0
    var tokenCount: UInt64 = 0
    var randomCount: UInt64 = 0

    var judge: Judge
    var history: History
    /// The last step of the server's clock.
    var lastStep: (isForward: Bool, at: Int64)?
    /// No faults any more: everything is mended, and has to come to rest.
    var isCalm = false
    /// Nodes that are stopped stay so.
    var isEnding = false
    var isOver = false

    init(_ scenario: Scenario, recording: Bool) {
        self.scenario = scenario
        weather = Chance(seed: scenario.seed, stream: 2)
        physics = Chance(seed: scenario.seed, stream: 3)
        dice = Chance(seed: scenario.seed, stream: 4)
        server = Server(rate: scenario.serverRate)
        nodes = scenario.nodes.indices.map { Node(scenario, $0) }
        judge = Judge(jobs: scenario.jobs.count, nodes: scenario.nodes.count)
        history = History(isRecording: recording)
        let copies = scenario.replication == .exchanged ? 1 : scenario.quorum.replicas
        replicas = Array(repeating: Replica(model: server.model), count: copies)
    }

    /// Never the same twice.
    mutating func freshBytes() -> Bytes {
        randomCount += 1
        return withUnsafeBytes(of: randomCount) { Bytes($0) }
    }

    mutating func schedule(
        _ kind: Occurrence.Kind, at: Int64, node: Int = -1, job: Int = -1, id: Int32 = -1, slot: Int32 = -1
    ) {
        queue.push(
            Occurrence(
                at: max(at, now), kind: kind, node: Int16(truncatingIfNeeded: node),
                job: Int16(truncatingIfNeeded: job), id: id, slot: slot))
    }

    /// A node's clock.
    func clock(_ node: Int) -> Instant { nodes[node].clock.local(at: now) }

    mutating func note(_ node: Int, _ text: @autoclosure () -> String) {
        if history.isRecording { history.add(now, node, text()) }
    }

    /// One occurrence. False when nothing is left to happen.
    mutating func step() -> Bool {
        guard let next = queue.pop() else { return false }
        now = next.at
        judge.figures.occurrences += 1
        dispatch(next)
        return true
    }

    private mutating func dispatch(_ next: Occurrence) {
        let node = Int(next.node)
        switch next.kind {
        case .fault: inject(Int(next.id))
        case .relief: relieve(Int(next.id), node)
        case .request: onServer(of: next)
        case .answer, .timeout, .announcement, .alarm, .contestAlarm, .mail, .clearing, .forked, .greetingTimeout,
            .report, .archived, .daemonEnd, .courier, .replacement, .recollection:
            if nodes[node].power != .on || nodes[node].daemon.isStopped { return defer_(next) }
            toDaemon(next)
        case .daemonStart:
            if nodes[node].power == .frozen { return defer_(next) }
            startDaemon(node, wanted: next.slot)
        case .keeperUp, .keeperTimer, .order, .reaped, .guardDeath:
            if nodes[node].power != .on || runs[Int(next.id)].keeper == .stopped { return defer_(next) }
            toKeeper(next)
        case .guardTimer, .keeperDeath:
            if nodes[node].power != .on || runs[Int(next.id)].guardian == .stopped { return defer_(next) }
            toGuard(next)
        case .executed, .exited, .killed:
            if nodes[node].power != .on { return defer_(next) }
            toWorkload(next)
        case .overlapCheck: checkOverlap(job: Int(next.job))
        case .deadlineCheck: checkDeadline(next.id)
        case .boot: boot(node)
        case .end: endStage(next.slot)
        }
    }

    /// Whoever it is for can't run: it is there when it can.
    private mutating func defer_(_ occurrence: Occurrence) {
        let node = Int(occurrence.node)
        // What was on its way to a machine without power is gone.
        if nodes[node].power == .off { return drop(occurrence) }
        nodes[node].deferred.append(occurrence)
    }

    /// Somebody can run again: all that waited comes at once, in its order.
    mutating func resume(_ node: Int) {
        let waiting = nodes[node].deferred
        nodes[node].deferred = []
        for occurrence in waiting {
            var again = occurrence
            again.at = now + (occurrence.kind == .killed || occurrence.kind == .executed ? 100_000 : 0)
            queue.push(again)
        }
    }

    /// Payloads of what will never be looked at are given back.
    mutating func drop(_ occurrence: Occurrence) {
        switch occurrence.kind {
        case .answer, .timeout: release(exchange: occurrence.slot)
        case .mail: _ = mails.take(occurrence.slot)
        case .order: _ = orders.take(occurrence.slot)
        case .report: _ = reports.take(occurrence.slot)
        case .clearing: _ = clearings.take(occurrence.slot)
        case .contestAlarm: _ = elections.take(occurrence.slot)
        case _: break
        }
    }
}
