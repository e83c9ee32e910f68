// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Synchronization

/// Scheduled jobs that have nothing to do have no loop: one timer wakes all of them, and each hears of announcements.
///
/// A loop costs some tens of kilobytes; a node may have ten thousand jobs that are due once a day.
extension JobBoard {
    /// How a scheduled job hears of announcements, whether or not its loop turns.
    struct Ear {
        let bell: Doorbell
        let keys: LockKeys
        /// When this node began to look after the job.
        let upSince: Instant
        /// What the loops so far have learned of the lock.
        var waiter: Waiter?
    }

    /// What the watchdog calls the timer.
    private static let timerName = "ticks"
    /// It is not set for longer, so that a clock of the store that was set is noticed.
    private static let longestWait = Duration.seconds(60)

    /// Wakes jobs in time, until it is cancelled.
    func wakeInTime() async {
        let timer = timer
        context.pulse.watch(Self.timerName) { timer.ring() }
        context.room.watch(Self.timerName) { timer.ring() }
        defer {
            context.pulse.forget(Self.timerName)
            context.room.forget(Self.timerName)
        }
        while !Task.isCancelled {
            context.pulse.progressed(Self.timerName)
            let rung = rung.withLock { rung in
                defer { rung = [] }
                return rung
            }
            let next = state.withLock { state in
                for job in rung { state.dormant.rang(job) }
                wakeJobs(&state)
                return state.dormant.nextWake
            }
            let time = context.store.tickTime()
            var left = Self.longestWait
            // Of one that is due and could not be woken, room is heard of.
            if let next, let time, next > time { left = min(left, .microseconds(next - time)) }
            await timer.wait(until: BootClock.now() + left)
        }
    }

    /// Gives back what many loops have used that are over, until it is cancelled.
    func giveMemoryBack() async {
        var last = 0
        while !Task.isCancelled {
            let ended = state.withLock { $0.fellAsleep }
            // Not in the middle of it.
            if ended >= Self.many, ended == last {
                FreedMemory.giveBack()
                state.withLock { $0.fellAsleep -= ended }
            }
            last = ended
            try? await BootClock.sleep(until: BootClock.now() + .seconds(5))  // ended early: cancelled
        }
    }

    /// That is worth its while after so many.
    private static let many = 256

    /// All that are looked after, whether or not they have a loop.
    var scheduledJobs: [String] { state.withLock { Array($0.ears.keys) } }

    /// The loop of a job, which is woken if it is dormant; nil: it has none.
    func awakened(_ job: String) -> JobRunner? {
        state.withLock { state in
            if state.dormant.wake(job), let definition = state.roster.loop(of: job) {
                start(definition, &state)
            }
            return state.runners[job]
        }
    }

    // MARK: Steps of the board

    /// From now on the job is looked after.
    func keep(_ definition: JobDefinition, isAwake: Bool, _ state: inout State) {
        let job = definition.name
        let bell = Doorbell { [weak self] in self?.rang(job) }
        let ear = Ear(
            bell: bell, keys: LockKeys(prefix: context.storeSettings.prefix, job: job), upSince: BootClock.now())
        state.ears[job] = ear
        state.dormant.add(job, isAwake: isAwake)
        if !isAwake { show(definition, hasLooked: false) }
        context.store.connect(bell, to: ear.keys)
    }

    /// The job is looked after no more.
    func forget(_ job: String, _ state: inout State) {
        state.dormant.remove(job)
        guard let ear = state.ears.removeValue(forKey: job) else { return }
        context.store.disconnect(ear.bell, from: ear.keys)
    }

    /// - Parameter isWanted: somebody waits for what the job does here: it is woken again.
    func fallAsleep(_ job: String, _ dormancy: JobRunner.Dormancy, isWanted: Bool, _ state: inout State) {
        if let definition = state.roster.loop(of: job) { show(definition, hasLooked: true) }
        state.ears[job]?.waiter = dormancy.waiter
        state.fellAsleep += 1
        state.dormant.slept(job, until: dormancy.until, rings: dormancy.rings)
        if isWanted { state.dormant.rang(job) }
        wakeJobs(&state)
        timer.ring()
    }

    /// Starts the loops of those that are to be awake. On a node without room they would wait for it, each of them.
    func wakeJobs(_ state: inout State) {
        if state.roster.ending != nil { return }
        if context.room.obstacle != nil { return context.recollection.want(state.dormant.passOver()) }
        for job in state.dormant.wake(at: context.store.tickTime()) {
            if let definition = state.roster.loop(of: job) { start(definition, &state) }
        }
    }

    func waker(of job: String, _ state: State) -> JobRunner.Waker? {
        guard let ear = state.ears[job] else { return nil }
        return JobRunner.Waker(
            upSince: ear.upSince, isKnown: state.dormant.hasSlept(job), waiter: ear.waiter,
            rings: { [weak self] in self?.state.withLock { $0.dormant.rings(of: job) } ?? 0 },
            looked: { [weak self] in self?.looked(job) })
    }

    /// Called by the store's own thread, which is not to wait for a board with very many jobs.
    private func rang(_ job: String) {
        context.marks.announced(job)
        rung.withLock { $0.append(job) }
        timer.ring()
    }

    private func looked(_ job: String) {
        state.withLock { state in
            state.dormant.looked(job)
            wakeJobs(&state)
        }
    }

    private func show(_ definition: JobDefinition, hasLooked: Bool) {
        var shown = StatusReport.Job(
            name: definition.name, description: definition.description, kind: "scheduled",
            state: hasLooked ? .standby : .waitingForStore)
        if !hasLooked { shown.reason = "the store has not yet said how its ticks stand" }
        shown.lastRun = context.board.job(definition.name)?.lastRun
        context.board.post(shown)
    }
}
