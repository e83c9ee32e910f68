// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// What each job's loop last said of itself. One writer a job, read by the control socket and the status line.
final class StatusBoard: Sendable {
    /// Objects, because both are large: of most jobs there is nothing but their names to be said.
    private final class Entry: Sendable {
        let job: StatusReport.Job
        let loop: Loop?

        init(_ job: StatusReport.Job, _ loop: Loop?) {
            self.job = job
            self.loop = loop
        }

        /// It would compete, and has nothing to do: it does not know whether the node has room.
        var isDormant: Bool {
            loop == nil && job.kind == "scheduled" && (job.state == .standby || job.state == .waitingForStore)
        }
    }
    /// Where a job stands that has a loop, for what depends on the moment of the question.
    private final class Loop: Sendable {
        let machine: JobMachine

        init(_ machine: JobMachine) { self.machine = machine }
    }
    private let entries = Mutex<[String: Entry]>([:])
    /// What a job that is dormant would find when it were awake.
    private let room: RunRoom
    /// How often something was posted.
    private let posts = Atomic<Int>(0)

    init(room: RunRoom) {
        self.room = room
        room.watch("the status of jobs that are dormant") { [weak self] in self?.roomChanged() }
    }

    private func roomChanged() { posts.add(1, ordering: .releasing) }

    func post(_ job: StatusReport.Job, machine: JobMachine? = nil) {
        let entry = Entry(job, machine.map { Loop($0) })
        entries.withLock { $0[job.name] = entry }
        posts.add(1, ordering: .releasing)
    }

    /// Nothing is known of the job any more.
    func remove(_ job: String) {
        entries.withLock { $0[job] = nil }
        posts.add(1, ordering: .releasing)
    }

    /// Changes with every post: as long as it is the same, so are the jobs.
    var edition: Int { posts.load(ordering: .acquiring) }

    func job(_ name: String) -> StatusReport.Job? {
        entries.withLock { $0[name] }.map { current($0, room.obstacle, at: BootClock.now()) }
    }

    /// Where a job stands; nil: it has no loop here.
    func machine(of name: String) -> JobMachine? { entries.withLock { $0[name]?.loop?.machine } }

    /// Sorted by name.
    func all() -> [StatusReport.Job] {
        let entries = entries.withLock { Array($0.values) }
        let (obstacle, now) = (room.obstacle, BootClock.now())
        return entries.map { current($0, obstacle, at: now) }.sorted { $0.name < $1.name }
    }

    /// Where each job stands, sorted by name: for metrics, without the texts that people read.
    func readings() -> [NodeReading.Job] {
        let entries = entries.withLock { Array($0.values) }
        let (obstacle, now) = (room.obstacle, BootClock.now())
        return entries.map { entry in
            var reading = NodeReading.Job(
                name: entry.job.name, state: entry.isDormant && obstacle != nil ? .ineligible : entry.job.state,
                isScheduled: entry.loop?.machine.isScheduled ?? (entry.job.kind == "scheduled" ? true : nil))
            if entry.job.run != nil, let machine = entry.loop?.machine, let deadline = machine.leaseDeadline {
                reading.lease = .init(left: deadline - now, timeout: machine.timing.timeout)
            }
            return reading
        }.sorted { $0.name < $1.name }
    }

    /// What is left of a lease, or of a wait, is counted at the moment of the question.
    private func current(
        _ entry: Entry, _ obstacle: RunQuota.Obstacle?, at now: Instant
    ) -> StatusReport.Job {
        var job = entry.job
        if entry.isDormant, let obstacle {
            job.state = .ineligible
            job.reason = obstacle.reason
        }
        if let machine = entry.loop?.machine {
            let description = machine.describe(at: now)
            job.reason = description.reason
            if let deadline = description.run?.deadline {
                job.run?.leaseUntilMilliseconds = max(0, (deadline - now).milliseconds)
            }
        }
        return job
    }
}
