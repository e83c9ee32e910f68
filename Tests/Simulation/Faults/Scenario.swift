// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A fleet, its jobs, and all that will go wrong with it: made from a seed, and complete.
package struct Scenario: Sendable {
    package struct NodePlan: Sendable {
        /// What its CLOCK_BOOTTIME shows when the world begins.
        var clock: Int64
        /// How much faster than true time it ticks, in millionths.
        var rate: Int64
        /// How much later than others it asks for a lock.
        var handicap: Duration
    }

    /// What the workload of a job does.
    package struct Work: Sendable {
        /// Ends by itself after so long, or up to half as much again; 0: never.
        var lasts: Int64
        /// With an exit code other than 0.
        var fails: Bool
        /// How long after TERM it ends; negative: it ignores TERM.
        var obeysAfter: Int64
        /// How many processes it leaves behind when its main process ends.
        var strays: Int
    }

    package struct JobPlan: Sendable {
        var definition: JobDefinition
        var work: Work
        var keys: LockKeys
        /// Nodes that may run it.
        var nodes: [Bool]
    }

    package var seed: UInt64
    package var nodes: [NodePlan]
    package var jobs: [JobPlan]
    package var script: [Fault]
    var maxLockTimeout: Duration
    var requestTimeout: Duration
    var killLatency = Duration.milliseconds(50)
    var serverRate: Int64
    /// Whether a replica may take over, and whether a yes waits for it. `exchanged`: it takes over from a primary that
    /// answers nobody any more.
    enum Replication { case none, lagging, waitedFor, exchanged }
    var replication: Replication
    /// `store.replicas`.
    var quorum = ReplicaQuorum(replicas: 0)
    /// Whether a scheduled job has no loop while it has nothing to do.
    var hasDormantJobs = false
    /// Runs at once on a node; 0: no limit.
    var maxRuns: Int
    /// Where the longest lease ends, for the rest of the world's arithmetic.
    var longest: Int64
    /// When the last fault is over at the latest, and everything is mended.
    var calm: Int64
}

extension Scenario {
    /// Durations that a fault's time is measured in: what happens at the end of a lease or of a wait is what breaks
    /// designs.
    struct Rhythm {
        var timeout: Int64
        var wait: Int64
    }

    package init(seed: UInt64) {
        var chance = Chance(seed: seed, stream: 1)
        self.seed = seed
        // Short leases mean many events in little time; the rules are the same.
        let unit = chance.pick([1000, 1000, 1200, 2000, 3000, 5000, 15_000]) as Int64
        requestTimeout = .milliseconds(chance.pick([100, 300, 1000]))
        let nodeCount = chance.pick([2, 3, 3, 3, 4, 5])
        let jobCount = chance.pick([1, 1, 2, 2, 3])
        nodes = (0..<nodeCount).map { _ in
            NodePlan(
                clock: chance.between(1_000_000_000, 900_000_000_000_000), rate: chance.between(-4500, 4500),
                handicap: chance.happens(150) ? .milliseconds(chance.between(1, unit / 2)) : .zero)
        }
        serverRate = chance.between(-4500, 4500)
        var longestTimeout = Duration.zero
        jobs = (0..<jobCount).map { index in
            let job = Self.job(index, unit: unit, nodes: nodeCount, &chance)
            longestTimeout = max(longestTimeout, job.definition.lock.timeout)
            return job
        }
        let mayBeFull = jobs.allSatisfy { !$0.nodes.contains(false) } && jobCount <= nodeCount
        maxRuns = mayBeFull && chance.happens(200) ? 1 : 0
        replication = chance.pick([.none, .none, .none, .none, .none, .none, .lagging, .waitedFor, .waitedFor])
        maxLockTimeout = chance.happens(500) ? longestTimeout : longestTimeout + .milliseconds(unit / 2)
        longest = maxLockTimeout.nanoseconds
        script = []
        calm = 0
        setSchedules(unit)
        write(&chance)
        continueScript()
    }

    private static func job(_ index: Int, unit: Int64, nodes: Int, _ chance: inout Chance) -> JobPlan {
        let name = "job\(index + 1)"
        var definition = JobDefinition(name: name, command: .program(["1"]))
        let timeout = Duration.milliseconds(unit) * chance.pick([1, 1, 1, 2])
        definition.lock.timeout = timeout
        definition.lock.lostGrace = chance.pick([timeout / 6, timeout / 6, timeout / 10, .milliseconds(50)])
        definition.stop.timeout = chance.pick([.milliseconds(200), timeout / 2, timeout, timeout * 3])
        definition.restart.policy = chance.pick([.always, .always, .always, .onFailure])
        definition.restart.delay = chance.pick([
            .milliseconds(unit / 50), .milliseconds(unit / 10), .milliseconds(unit / 2),
        ])
        definition.restart.maxDelay = .seconds(2)
        let milli: Int64 = 1_000_000
        var work = Work(lasts: 0, fails: false, obeysAfter: chance.between(0, 20 * milli), strays: 0)
        switch chance.below(10) {
        case 0, 1: work.lasts = chance.between(unit / 50, unit / 4) * milli
        case 2: work.lasts = chance.between(unit / 4, 2 * unit) * milli
        case 3:
            work.lasts = chance.between(1, unit / 3) * milli
            work.fails = true
        case _: break
        }
        if work.lasts > 0, !work.fails { definition.restart.policy = .always }
        if chance.happens(250) {
            work.obeysAfter = -1
        } else if chance.happens(200) {
            work.obeysAfter = chance.between(0, unit) * milli
        }
        if chance.happens(400) { work.strays = 1 + chance.below(2) }
        var eligible = [Bool](repeating: true, count: nodes)
        if nodes > 2, chance.happens(150) { eligible[chance.below(nodes)] = false }
        return JobPlan(
            definition: definition, work: work, keys: LockKeys(prefix: "b", job: name), nodes: eligible)
    }

    /// The script: bursts of faults around moments that matter, with quiet between them.
    private mutating func write(_ chance: inout Chance) {
        let timeout = jobs[0].definition.lock.timeout.nanoseconds
        let rhythm = Rhythm(timeout: timeout, wait: longest)
        var now = longest + 2 * timeout
        let bursts = 3 + chance.below(8)
        // Some worlds know what Baton does not promise to survive.
        let isBeyond = chance.happens(60)
        for _ in 0..<bursts {
            now += chance.between(0, 2 * timeout)
            let recipe = chance.below(10)
            let noise = recipe < 6 ? chance.below(4) : 2 + chance.below(8)
            var faults = recipe < 6 ? recall(at: now, rhythm, &chance) : []
            for _ in 0..<noise {
                faults.append(self.fault(at: now + chance.between(0, 2 * timeout), rhythm, isBeyond, &chance))
            }
            faults.sort { $0.at < $1.at }
            script += faults
            now = max(now, faults.map { $0.at + $0.span }.max() ?? now)
        }
        script.sort { $0.at < $1.at }
        calm = (script.map { $0.at + $0.span }.max() ?? now) + timeout / 10
    }

    /// A moment at which something ends, give or take a little.
    private func moment(_ rhythm: Rhythm, _ chance: inout Chance) -> Int64 {
        let third = rhythm.timeout / 3
        let about = chance.pick([0, third, 2 * third, rhythm.timeout, rhythm.wait, rhythm.wait + third])
        let blur = chance.pick([2_000_000, 60_000_000, third])
        return max(0, about + chance.between(-blur, blur))
    }

    private func target(_ chance: inout Chance) -> Fault.Target {
        switch chance.below(10) {
        case 0..<5: .holder
        case 5..<7: .bystander
        case 7: .all
        case _: .node(chance.below(nodes.count))
        }
    }

    /// Those of any moment.
    private static let ordinary = Fault.Kind.allCases.filter { $0 != .exchange && $0 != .secondDaemon }

    private func fault(
        at: Int64, _ rhythm: Rhythm, _ isBeyond: Bool, _ chance: inout Chance
    ) -> Fault {
        var kind = chance.pick(Self.ordinary)
        if replication == .none, kind == .failover || kind == .replicaCut { kind = .flush }
        if !isBeyond, kind == .vmPause || kind == .clockBeyondMargin { kind = .late }
        return fault(kind, at: at, rhythm, &chance)
    }

    func fault(
        _ kind: Fault.Kind, at: Int64, _ rhythm: Rhythm, _ chance: inout Chance, _ target: Fault.Target? = nil
    ) -> Fault {
        var fault = Fault(
            at: at, kind: kind, target: target ?? self.target(&chance), job: chance.below(jobs.count),
            span: moment(rhythm, &chance), amount: moment(rhythm, &chance))
        switch kind {
        case .storeClockForward:
            fault.amount = chance.pick([rhythm.timeout / 2, rhythm.timeout, 5 * rhythm.timeout, 3_600_000_000_000])
        // The lock of a holder that is gone lives on for as long: the world would have to wait.
        case .storeClockBack: fault.amount = chance.pick([rhythm.timeout / 2, rhythm.timeout, 5 * rhythm.timeout])
        case .storeSlow: fault.amount = chance.between(1_000_000, rhythm.timeout / 3)
        case .lossy, .duplicate: fault.amount = chance.between(100, 700)
        case .clockBeyondMargin: fault.amount = chance.pick([-200_000, -80_000, 80_000, 200_000])
        case .late: fault.amount = chance.between(0, rhythm.timeout * 5 / 2)
        case _: break
        }
        return fault
    }
}

/// Sequences that broke designs (research: "What breaks a lease design"), with their times blurred.
extension Scenario {
    private func recall(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        func some(_ kind: Fault.Kind, _ after: Int64, _ target: Fault.Target? = nil) -> Fault {
            fault(kind, at: now + after, rhythm, &chance, target)
        }
        let loss = chance.pick([.flush, .restartEmpty, .restartWithData, .restartWithOlderData] as [Fault.Kind])
        let another = chance.pick([.flush, .restartEmpty, .restartWithData, .restartWithOlderData] as [Fault.Kind])
        let blur = chance.between(-rhythm.timeout / 4, rhythm.timeout / 4)
        let little = chance.between(-8_000_000, 8_000_000)
        if replication != .none, chance.happens(400) {
            return [
                some(.failover, 0), some(.late, 0, .all), some(.replicaCut, max(0, blur)), some(.cut, max(0, little)),
            ]
        }
        switch chance.below(19) {
        // Two losses around the end of the wait, with requests on their way.
        case 0: return [some(loss, 0), some(another, max(0, rhythm.wait + little))]
        case 1:
            return [
                some(loss, 0), some(.late, max(0, rhythm.wait - 5_000_000 + little), .bystander),
                some(another, max(0, rhythm.wait + little)),
            ]
        // The holder's renewals come late, beyond the end of its lease; then a loss.
        case 2: return [some(.late, 0, .holder), some(loss, max(0, rhythm.timeout + blur))]
        case 3:
            return [some(.late, 0, .all), some(loss, chance.between(0, rhythm.timeout)), some(.crash, rhythm.wait)]
        // Cut off, and the store forgets.
        case 4: return [some(.cut, 0, .holder), some(loss, chance.between(0, rhythm.timeout))]
        case 5: return [some(.cutDown, 0, .holder), some(.loseLock, chance.between(0, rhythm.timeout))]
        // The server's clock, and a lost key.
        case 6: return [some(.storeClockForward, 0), some(.cut, max(0, blur), .holder)]
        case 7: return [some(.loseLock, 0), some(.cut, max(0, little), .holder)]
        // A start that is late; daemons that die in the middle of it.
        case 8:
            return [
                some(.slowLaunch, 0, .all), some(.workloadKill, 1_000_000, .holder),
                some(.crash, chance.between(0, rhythm.timeout), .holder), some(.late, 0, .holder),
            ]
        case 9:
            return [some(.slowLaunch, 0, .all), some(.crash, 0, .holder), some(.crash, rhythm.timeout, .holder)]
        // Adoption with the old daemon's requests still on their way.
        case 10: return [some(.late, 0, .holder), some(.crash, max(0, rhythm.timeout / 3 + blur), .holder)]
        case 11:
            return [some(.hang, 0, .holder), some(.keeperKill, chance.between(0, rhythm.timeout), .holder)]
        case 12: return [some(.late, 0, .holder), some(.reexec, rhythm.timeout / 3, .holder), some(loss, max(0, blur))]
        case 13...17: return lateness(at: now, rhythm, &chance)
        // A restart in place, in the middle of things.
        case _:
            return [
                some(.restartingReload, 0, .holder), some(.late, max(0, blur), .holder),
                some(.keeperKill, max(0, blur + little), .holder),
            ]
        }
    }
}
