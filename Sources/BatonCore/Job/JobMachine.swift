// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One job on one node: competing for its lock, and, as the holder, everything from the launch to the release.
///
/// Why at most one workload runs, in the terms of this file: a workload is started only by `.go`, which is sent only
/// while the lease holds; `.release` is sent only from states whose workload was never let go, or is proved to be gone.
package struct JobMachine: Equatable, Sendable {
    package enum Event: Equatable, Sendable {
        /// The node is up: compete.
        case begin
        /// A run of an earlier daemon was found alive; its keeper's deadline is the lease's end.
        case tookOver(runID: String, fence: Int64, deadline: Instant, pid: Int32?)
        /// A run of an earlier daemon was found ended, with this outcome; its lock may still be ours.
        case foundEnded(runID: String, fence: Int64, RunOutcome, jitter: Double)
        /// The competition reports why it waits.
        case waiting(Waiting)
        /// The competition is over: the job has nothing to do for a while.
        case dormant
        /// The lock is ours; the request was about to be sent at `sentAt`, and the server's clock showed `granted`.
        case elected(runID: String, fence: Int64, failures: Int, sentAt: Instant, granted: ServerTime? = nil)
        /// The store refuses, and waiting will not help by itself.
        case electionFailed(String)
        /// The outcome of a renewal.
        case lease(LeaseMachine.Event)
        /// The keeper is up and waits for `.go`.
        case keeperReady
        /// The keeper could not be started at all; nothing runs.
        case launchFailed(String, jitter: Double)
        case workloadStarted(pid: Int32)
        /// Every process of the run is gone: the keeper's word, or seen.
        case runEnded(RunOutcome, jitter: Double)
        /// The mark beside the lock was read while we hold it.
        case markSeen(Mark?)
        case released
        case releaseFailed
        /// The operator of this node wants the job to run.
        case runRequested
        /// The job is defined anew in a way that leaves the run alone: its end goes by these settings, and then this
        /// machine makes room for another.
        case superseded(JobDefinition.RestartSettings)
        /// The job is defined anew in a way that its process does not survive: stop properly, and leave the lock to the
        /// machine that follows.
        case replaced
        /// The next tick is due, and the run is to make room for it.
        case preempted
        /// This node may not take another run, and why.
        case noRoom(RunQuota.Obstacle)
        /// The competition that was to stop is over, without a grant.
        case withdrawn
        /// This node has room for a run.
        case room
        /// Another daemon takes this one's place in a moment: be done, and leave a run to it as it is.
        case relieved
        /// Stop properly, release, and be done.
        case drain
        /// As `drain`, but without patience.
        case abort
        /// A timer set by `.wake` went off.
        case woke
    }

    package enum Action: Equatable, Sendable {
        case compete
        /// Stop competing; an answer on its way is given back.
        case withdraw
        case launch
        /// Close the connection to a keeper that was never told to go: it exits.
        case abandonKeeper
        case go(Instant)
        case extend(Instant)
        case stopWorkload
        /// Through the keeper, and by this daemon itself.
        case killWorkload
        case renew(within: Duration)
        case release(Mark?)
        /// The workload is gone, the lock is ours until then: whoever follows this machine has it, or gives it back.
        case handOver(until: Instant)
        /// Acknowledge the run's end to its keeper and remember it.
        case settle(RunOutcome)
        case wake(at: Instant)
        /// Nothing is left to do.
        case retired
    }

    /// Why this node is not the runner.
    package enum Waiting: Equatable, Sendable {
        /// The job is not due; the next tick in seconds, if there is one.
        case tick(Int64?)
        case held
        case vanishedHolder
        case newStore(until: Instant)
        case mark(Mark)
        case store(String)
    }

    struct Holding: Equatable, Sendable {
        var runID: String
        var fence: Int64
        var failures: Int
        var lease: LeaseMachine
        var startedAt: Instant?
        /// What it is when a stop ends it.
        var stopOutcome = RunOutcome.stopped
    }

    enum State: Equatable, Sendable {
        case idle
        case competing(Waiting?)
        /// There is no room on the node, and the competition is on its way to stop.
        case leaving(RunQuota.Obstacle)
        /// There is no room on the node.
        case crowded(RunQuota.Obstacle)
        case resting(until: Instant, String?)
        /// Nothing is to be done before the next tick: it needs no loop.
        case dormant
        /// The keeper was asked for; nothing may run yet.
        case launching(Holding, giveUpAt: Instant)
        /// `go` was said.
        case starting(Holding)
        case running(Holding, pid: Int32?)
        /// The workload was told to end; the lease goes on. A keeper that does not see to the end is not waited for.
        case stopping(Holding, pid: Int32?, killAt: Instant)
        /// The lease is over, or the workload is being killed: waiting for the proof that it is gone.
        case ending(Holding, pid: Int32?)
        /// The workload is gone. `sent` is false while a renewal is still on its way.
        case releasing(Holding, Mark?, sent: Bool, retryAt: Instant?)
        case retired
    }

    enum Want: Equatable, Sendable {
        case run
        /// Be done as soon as no run goes on.
        case finish
        /// Be done as soon as possible, and leave the lock of a run to who follows.
        case replace
        /// Be done as soon as possible.
        case drain
    }

    package let timing: LeaseTiming
    /// How long a keeper may take to come up: others may come before it, on a busy machine. The lease is renewed meanwhile.
    let launchTimeout = Duration.seconds(30)
    var restart: JobDefinition.RestartSettings
    let lostGrace: Duration
    let stopTimeout: Duration
    let runTimeout: Duration?
    let successCodes: Set<Int32>
    /// Its runs belong to ticks: no restart policy decides what follows.
    package let isScheduled: Bool
    let node: String
    var state = State.idle
    var want = Want.run
    /// The last reading of the server's clock that a lease to come may have to know (rule S10).
    var reading: ClockReading?

    package init(definition: JobDefinition, timing: LeaseTiming, node: String) {
        self.timing = timing
        self.node = node
        restart = definition.restart
        lostGrace = definition.lock.lostGrace
        stopTimeout = definition.stop.timeout
        runTimeout = definition.run.timeout
        successCodes = definition.run.successCodes
        isScheduled = definition.schedule != nil
    }

    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        var actions = respond(to: event, at: now)
        if let wake = nextWake { actions.append(.wake(at: wake)) }
        return actions
    }

    private mutating func respond(to event: Event, at now: Instant) -> [Action] {
        if event == .drain || event == .abort { want = .drain }
        if case .superseded(let settings) = event {
            restart = settings
            if want == .run { want = .finish }
        }
        if event == .replaced, want != .drain { want = .replace }
        if event == .relieved, want == .run { want = .finish }
        if case .lease(.heard(let reading)) = event { self.reading = reading }
        switch state {
        case .idle: return whenIdle(event, at: now)
        case .competing: return whenCompeting(event, at: now)
        case .leaving(let obstacle): return whenLeaving(event, obstacle, at: now)
        case .crowded: return whenCrowded(event, at: now)
        case .resting(let until, _): return whenResting(event, until: until, at: now)
        case .dormant: return whenDormant(event, at: now)
        case .launching(let holding, let giveUpAt):
            return whenLaunching(event, holding, giveUpAt: giveUpAt, at: now)
        case .starting(let holding): return whenRunning(event, holding, pid: nil, at: now)
        case .running(let holding, let pid): return whenRunning(event, holding, pid: pid, at: now)
        case .stopping(let holding, let pid, let killAt):
            return whenStopping(event, holding, pid: pid, killAt: killAt, at: now)
        case .ending(let holding, let pid): return whenEnding(event, holding, pid: pid, at: now)
        case .releasing(let holding, let mark, let sent, let retryAt):
            return whenReleasing(event, holding, mark, sent: sent, retryAt: retryAt, at: now)
        case .retired: return whenRetired(event, at: now)
        }
    }

    var nextWake: Instant? {
        switch state {
        case .idle, .competing, .leaving, .crowded, .dormant, .retired: nil
        case .resting(let until, _): until
        case .launching(let holding, let giveUpAt): min(giveUpAt, holding.lease.nextWake ?? giveUpAt)
        case .starting(let holding), .running(let holding, _):
            [holding.lease.nextWake, timeoutAt(holding)].compactMap { $0 }.min()
        case .ending(let holding, _): holding.lease.nextWake
        case .stopping(let holding, _, let killAt): min(killAt, holding.lease.nextWake ?? killAt)
        case .releasing(_, _, _, let retryAt): retryAt
        }
    }

    /// When the run takes too long; nil: it never does.
    func timeoutAt(_ holding: Holding) -> Instant? {
        guard let runTimeout, let startedAt = holding.startedAt else { return nil }
        return startedAt + runTimeout
    }

    /// A renewal has outlived its time limits: the loop that sends renewals is stuck.
    package func isRenewalOverdue(at now: Instant) -> Bool {
        switch state {
        case .idle, .competing, .leaving, .crowded, .resting, .dormant, .retired: false
        case .launching(let holding, _), .starting(let holding), .running(let holding, _), .stopping(let holding, _, _),
            .ending(let holding, _), .releasing(let holding, _, _, _):
            holding.lease.isRenewalOverdue(at: now)
        }
    }

    package var isRetired: Bool { state == .retired }

    package var isDormant: Bool { state == .dormant }

    /// Whether it has yet to find out if there is anything to do, which the store's answer will say.
    package var isLooking: Bool {
        switch state {
        case .idle, .competing(nil), .competing(.store), .competing(.newStore): true
        case .competing(.tick), .competing(.held), .competing(.vanishedHolder), .competing(.mark), .leaving, .crowded,
            .resting, .dormant, .launching, .starting, .running, .stopping, .ending, .releasing, .retired:
            false
        }
    }

    /// What a competition waits for.
    package var waitsFor: Waiting? { if case .competing(let waiting) = state { waiting } else { nil } }

    /// D, while a lock is held.
    package var leaseDeadline: Instant? {
        switch state {
        case .idle, .competing, .leaving, .crowded, .resting, .dormant, .retired: nil
        case .launching(let holding, _), .starting(let holding), .running(let holding, _), .stopping(let holding, _, _),
            .ending(let holding, _), .releasing(let holding, _, _, _):
            holding.lease.deadline
        }
    }
}
