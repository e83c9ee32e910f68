// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A machine: its clock, its part of the network, what survives on its disks, and the daemon.
struct Node {
    enum Power { case on, frozen, off }

    var clock: NodeClock
    var power = Power.on
    /// The first life of a daemon since it was switched on.
    var firstLife: Int32 = 0
    var link = Link()
    var daemon = Daemon()
    /// What is for somebody who can't run now.
    var deferred: [Occurrence] = []
    /// The largest fence seen of each job, on disk.
    var fences: [Int64]
    /// The largest tick, too.
    var ticks: [Int64]
    /// How runs of ticks ended, until the store has it.
    var outcomes: [String: PendingOutcome] = [:]
    /// The job files.
    var definitions: [JobDefinition?]
    /// The one run of each job whose flock is held.
    var jobLocks: [Int32?]
    /// Runs whose folder is there.
    var folders: [[Int32]]
    /// The end of the last freeze: what ran on for an instant then is forgiven.
    var thawedAt: Int64 = .min
    var frozenAt: Int64 = .max
    /// Keepers come up late until then, by up to so much; or not at all.
    var slowLaunchUntil: Int64 = 0
    var launchDelay: Int64 = 0
    var launchFailsUntil: Int64 = 0
    /// Keeper and guard of a run are stopped until then: the daemon has to live.
    var lastLineUntil: Int64 = 0
    /// Nothing can be written until then.
    var diskFullUntil: Int64 = 0
    /// The jobs that have room on it.
    var room = RunQuota(limit: 0)
    /// Until when its clock, or a hypervisor, is beyond what Baton promises to survive.
    var excusedUntil: Int64 = .min
    /// Its clock was once beyond what is promised: a run of it may have lived on into a wait for a new store, and be the
    /// first that puts its lock back. Its fence is small then, and says so.
    var wasBeyond = false
    /// A hypervisor has paused it, clock and all.
    var isPaused = false
    /// The last such pause, if its clock was sound before.
    var pause: Pause?

    /// What a daemon that was there before a pause can know of it afterwards.
    struct Pause {
        let life: Int32
        let clockNumber: Int
        /// True time.
        let begin: Int64
        /// By the node's clock.
        let end: Instant
        /// When it heard of the server's time since; true time.
        var informedAt: Int64 = .max
    }

    init(_ scenario: Scenario, _ index: Int) {
        let plan = scenario.nodes[index]
        clock = NodeClock(base: plan.clock, rate: plan.rate, at: 0)
        fences = Array(repeating: 0, count: scenario.jobs.count)
        ticks = fences
        definitions = scenario.jobs.map { job in
            var definition = job.definition
            definition.enabled = job.nodes[index]
            return definition
        }
        jobLocks = Array(repeating: nil, count: scenario.jobs.count)
        folders = Array(repeating: [], count: scenario.jobs.count)
    }
}

/// How a run of a tick ended.
struct PendingOutcome {
    let job: Int
    let lease: LeaseRecord
    let record: RunRecord
    let isOnDisk: Bool
}

/// A node's way to the store and back.
struct Link {
    /// From the node, to the node.
    var carriesUp = true, carriesDown = true
    var upAgain: Int64 = 0, downAgain: Int64 = 0
    /// It leads to a primary that was replaced.
    var isOnOld = false
    /// In a thousand.
    var loss = 0
    var duplicates = 0
    /// Until then requests may be late by so much.
    var lateUntil: Int64 = 0
    var lateness: Int64 = 0
}

/// The batond of a node.
struct Daemon {
    enum Ending { case drained, relieved }

    /// Counts its lives, also those that a reexec begins.
    var life: Int32 = 0
    var isAlive = false
    var isStopped = false
    /// Connections that it made have larger numbers.
    var firstLink: Int32 = 0
    var ending: Ending?
    /// The loops of its jobs.
    var shells: [Shell?] = []
    /// What the last answer said of the server's clock.
    var latest: ClockReading?
    /// Which server's clock that is, and what all answers together say of it (rule S10).
    var clockNumber = 0
    /// The server that was spoken to last; 0: none.
    var server = 0
    var watch = ClockWatch()
    /// Its jobs with a schedule.
    var dormant = DormantJobs()
    /// Nil: it has not begun.
    var recollection: RecollectionMachine?
    /// Runs of an earlier daemon whose keepers have not answered yet.
    var greeting: [Int32] = []
    var found: [Found] = []
}

/// A run that an earlier daemon left behind.
struct Found {
    let run: Int32
    let job: Int
    let link: Int32?
    let left: FoundRun
    var hello: KeeperReport.Hello?
    /// What its keeper said after that, for a loop that has not begun.
    var backlog: [Word] = []
}
