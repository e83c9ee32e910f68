// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The scheduled jobs of a node, and which of them have a loop: only those that may have something to do.
///
/// A job is woken a while before its next tick. One that has just come, or of which something was announced, is woken to
/// look at its ledger; of those only some look at once, so that a node with very many jobs needs little room for it.
package struct DormantJobs: Equatable, Sendable {
    /// So many look at once.
    static let mostLooking = 32

    private struct Job: Equatable, Sendable {
        var isAwake = false
        /// It is to look, when there is room.
        var isQueued = false
        /// It is among the ``DormantJobs/untold``.
        var isUntold = false
        /// When it is woken, by the store's clock in microseconds; `Int64.max`: not by the time.
        var wakesAt = Int64.max
        /// So much was announced of it.
        var rings = 0
        var hasSlept = false
    }
    private struct Alarm: Equatable, Comparable, Sendable {
        var at: Int64
        var job: String

        static func < (left: Alarm, right: Alarm) -> Bool { (left.at, left.job) < (right.at, right.job) }
    }

    private var jobs: [String: Job] = [:]
    /// In the order in which they came. What has become of one meanwhile is seen when it is its turn.
    private var queue: [String] = []
    /// Came into the queue, or were announced again, since all that wait in it were told of last.
    private var untold: [String] = []
    private var looking: Set<String> = []
    /// Sorted, the earliest one last.
    private var alarms: [Alarm] = []

    package init() {}

    /// When the next job is to be woken, by the store's clock in microseconds; nil: none is, by the time.
    package var nextWake: Int64? { alarms.last?.at }

    package func isDormant(_ job: String) -> Bool { jobs[job]?.isAwake == false }

    /// Whether it was awake, and then had nothing to do.
    package func hasSlept(_ job: String) -> Bool { jobs[job]?.hasSlept == true }

    /// How often something was announced of the job.
    package func rings(of job: String) -> Int { jobs[job]?.rings ?? 0 }

    /// A job has come. One that is awake has a loop already.
    package mutating func add(_ job: String, isAwake: Bool) {
        jobs[job] = Job(isAwake: isAwake)
        if !isAwake { enqueue(job) }
    }

    package mutating func remove(_ job: String) {
        disarm(job)
        jobs[job] = nil
        looking.remove(job)
    }

    /// Something was announced of the job.
    package mutating func rang(_ job: String) {
        jobs[job]?.rings += 1
        if isDormant(job) { enqueue(job) }
    }

    /// The loop of a job is over, because there is nothing to do.
    ///
    /// - Parameters:
    ///   - instant: when it is to be woken, by the store's clock in microseconds; `Int64.max`: not by the time.
    ///   - rings: what ``rings(of:)`` was when the loop began to find that out.
    package mutating func slept(_ job: String, until instant: Int64, rings: Int) {
        looking.remove(job)
        guard jobs[job] != nil else { return }
        jobs[job]?.isAwake = false
        jobs[job]?.hasSlept = true
        if jobs[job]?.rings != rings { enqueue(job) }
        jobs[job]?.wakesAt = instant
        guard instant != .max else { return }
        let alarm = Alarm(at: instant, job: job)
        alarms.insert(alarm, at: place(of: alarm))
    }

    /// The loop of a job found out what there is to do, or will not soon: others may look.
    package mutating func looked(_ job: String) { looking.remove(job) }

    /// Wakes a job, whatever the time. False: it is awake, or not known.
    package mutating func wake(_ job: String) -> Bool {
        guard isDormant(job) else { return false }
        disarm(job)
        jobs[job]?.isQueued = false
        jobs[job]?.isAwake = true
        return true
    }

    /// Those that were to look and can't, for the node has no room for a run: once for each time they were to. A loop would
    /// tell the store what the node remembers of its job, which may have lost it.
    package mutating func passOver() -> [String] {
        defer { forgetUntold() }
        return untold.filter { jobs[$0]?.isQueued == true }
    }

    private mutating func forgetUntold() {
        for job in untold { jobs[job]?.isUntold = false }
        untold = []
    }

    /// Wakes those whose time has come, and those that are to look.
    ///
    /// - Parameter time: the store's, in microseconds; nil: not known yet.
    /// - Returns: the jobs that have a loop from now on.
    package mutating func wake(at time: Int64?) -> [String] {
        var woken: [String] = []
        while let time, let first = alarms.last, first.at <= time, wake(first.job) { woken.append(first.job) }
        var passed = 0
        for job in queue where looking.count < Self.mostLooking {
            passed += 1
            guard jobs[job]?.isQueued == true, wake(job) else { continue }
            looking.insert(job)
            woken.append(job)
        }
        queue.removeFirst(passed)
        if queue.isEmpty { forgetUntold() }
        return woken
    }

    private mutating func enqueue(_ job: String) {
        if jobs[job]?.isUntold == false {
            jobs[job]?.isUntold = true
            untold.append(job)
        }
        guard jobs[job]?.isQueued == false else { return }
        jobs[job]?.isQueued = true
        queue.append(job)
    }

    private mutating func disarm(_ job: String) {
        guard let at = jobs[job]?.wakesAt, at != .max else { return }
        jobs[job]?.wakesAt = .max
        let place = place(of: Alarm(at: at, job: job))
        if place < alarms.count, alarms[place].job == job { alarms.remove(at: place) }
    }

    /// Where an alarm stands, or would.
    private func place(of alarm: Alarm) -> Int {
        var (low, high) = (0, alarms.count)
        while low < high {
            let middle = (low + high) / 2
            if alarms[middle] > alarm { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
