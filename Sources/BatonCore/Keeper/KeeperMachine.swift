// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The dead man's switch, as a pure machine: what a keeper does with one run.
///
/// It guarantees: nothing is started without a go, nothing is left alone after the deadline, and an end is told only
/// when every process of the run is gone. It does not guarantee that a process in an uninterruptible system call dies.
package struct KeeperMachine: Equatable, Sendable {
    enum State: Equatable, Sendable {
        case waiting
        case starting(deadline: Instant)
        case running(deadline: Instant, pid: Int32)
        case stopping(Stopping)
        case clearing(Clearing)
        case ended(RunEnd)
        case gone
    }

    /// The workload was asked to end by itself.
    struct Stopping: Equatable, Sendable {
        var deadline: Instant
        var killAt: Instant
        var pid: Int32?
        var signal: Int32
        var reason: RunEnd.Reason
    }

    /// Everything is being killed, until nothing is left.
    struct Clearing: Equatable, Sendable {
        var deadline: Instant
        var pid: Int32?
        var reason: RunEnd.Reason
        var exit: RunEnd.Exit?
        var termSent: Bool
        var nextKill: Instant
        var pause: Duration
    }

    enum Daemon: Equatable, Sendable { case present, absent }

    let lostGrace: Duration
    let stopSignal: Int32
    let stopTimeout: Duration
    /// Nil: the workload does not speak to its keeper.
    var watch: WorkloadWatch?
    var state = State.waiting
    var daemon = Daemon.absent
    private var armed: Instant?

    static let termination: Int32 = 15
    /// What a hung program gets: as from systemd's watchdog, it may leave a core.
    static let abort: Int32 = 6
    private static let firstPause = Duration.milliseconds(5)
    static let longestPause = Duration.milliseconds(500)

    /// A keeper that waits for its go.
    package init(lostGrace: Duration, stopSignal: Int32, stopTimeout: Duration, watch: WorkloadWatch? = nil) {
        self.lostGrace = lostGrace
        self.stopSignal = stopSignal
        self.stopTimeout = stopTimeout
        self.watch = watch
    }

    /// How far the run has come.
    package var phase: KeeperPhase {
        switch state {
        case .waiting: .waiting
        case .starting: .starting
        case .running: .running
        case .stopping(let stopping): stopping.reason == .leaseLost ? .leaseEnding : .stopping
        case .clearing: .clearing
        case .ended, .gone: .ended
        }
    }

    /// Until when the workload may run; nil: before the go and after the end.
    package var deadline: Instant? {
        switch state {
        case .waiting, .ended, .gone: nil
        case .starting(let deadline), .running(let deadline, _): deadline
        case .stopping(let stopping): stopping.deadline
        case .clearing(let clearing): clearing.deadline
        }
    }

    /// Takes an event in. Whatever is due by the clock is done first: a message that is read at or after the deadline
    /// finds the lease over.
    package mutating func handle(_ event: Event, at now: Instant) -> [Action] {
        // What it said was said before this was read: a keeper that comes late does not hold that against it.
        if case .notified(let notice) = event { watch?.heard(notice, at: now) }
        var actions = doWhatIsDue(at: now)
        switch state {
        case .waiting: actions += whileWaiting(event, at: now)
        case .starting(let deadline): actions += whileAlive(event, deadline: deadline, pid: nil, at: now)
        case .running(let deadline, let pid): actions += whileAlive(event, deadline: deadline, pid: pid, at: now)
        case .stopping(let stopping): actions += whileStopping(event, stopping, at: now)
        case .clearing(let clearing): actions += whileClearing(event, clearing, at: now)
        case .ended(let end): actions += afterEnd(event, end)
        case .gone: break
        }
        actions += whatItSays(at: now)
        if let next = nextWake, next != armed { actions.append(.wake(at: next)) }
        armed = nextWake
        return actions
    }

    // MARK: One function per state

    private mutating func whileWaiting(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .goReceived(let deadline):
            // Past the moment of its TERM a workload would be started only to be stopped.
            if now >= deadline - lostGrace { return finish(RunEnd(reason: .leaseLost, at: now)) }
            state = .starting(deadline: deadline)
            return [.startWorkload]
        case .connected: return greet()
        case .startFailed(let step, let errno):
            return finish(RunEnd(reason: .startFailed(step: step, errno: errno), at: now))
        case .connectionLost, .stopRequested, .killRequested, .guardDied:
            state = .gone
            return [.exit]
        case .extended, .acknowledged, .workloadStarted, .mainExited, .treeEmpty, .notified, .woke: return []
        }
    }

    private mutating func whileAlive(_ event: Event, deadline: Instant, pid: Int32?, at now: Instant) -> [Action] {
        switch event {
        case .goReceived(let later), .extended(let later):
            let longer = max(deadline, later)
            if let pid { state = .running(deadline: longer, pid: pid) } else { state = .starting(deadline: longer) }
            return []
        case .stopRequested:
            state = .stopping(
                Stopping(
                    deadline: deadline, killAt: now + stopTimeout, pid: pid, signal: stopSignal, reason: .stopped))
            return pid == nil ? [] : [.signalWorkload(stopSignal)]
        case .workloadStarted(let pid):
            state = .running(deadline: deadline, pid: pid)
            watch?.began(at: now)
            return [.report(.started(pid: pid, at: now))]
        case .notified: return pid.map { hanging(deadline, pid: $0, at: now) } ?? []
        case .connected: return greet()
        case .connectionLost: return loseDaemon()
        case .killRequested, .startFailed, .mainExited, .guardDied: return end(event, by: .exited, at: now)
        case .acknowledged, .treeEmpty, .woke: return []
        }
    }

    private mutating func whileStopping(_ event: Event, _ stopping: Stopping, at now: Instant) -> [Action] {
        var stopping = stopping
        switch event {
        case .goReceived(let later), .extended(let later):
            stopping.deadline = max(stopping.deadline, later)
            state = .stopping(stopping)
            return []
        case .workloadStarted(let pid):
            stopping.pid = pid
            state = .stopping(stopping)
            // Not before: between fork and exec it still ignores what the keeper ignores, and the signal would be lost.
            return [.report(.started(pid: pid, at: now)), .signalWorkload(stopping.signal)]
        case .connected: return greet()
        case .connectionLost: return loseDaemon()
        case .killRequested, .startFailed, .mainExited, .guardDied: return end(event, by: stopping.reason, at: now)
        case .stopRequested, .acknowledged, .treeEmpty, .notified, .woke: return []
        }
    }

    private mutating func whileClearing(_ event: Event, _ clearing: Clearing, at now: Instant) -> [Action] {
        switch event {
        case .mainExited(let exit):
            var clearing = clearing
            if case .startFailed = clearing.reason { return [] }
            clearing.exit = exit
            clearing.pid = nil
            state = .clearing(clearing)
            return []
        case .treeEmpty:
            return finish(
                RunEnd(reason: clearing.reason, exit: clearing.exit, at: now, termSent: clearing.termSent))
        case .startFailed(let step, let errno):
            // The reason stands: it was killed before its program ran. Nobody was told that it started.
            return [.report(.startFailed(step: step, errno: errno))]
        case .connected: return greet()
        case .connectionLost: return loseDaemon()
        case .goReceived, .extended, .stopRequested, .killRequested, .acknowledged, .workloadStarted, .guardDied,
            .notified, .woke:
            return []
        }
    }

    private mutating func afterEnd(_ event: Event, _ end: RunEnd) -> [Action] {
        switch event {
        case .connected: return greet() + [.report(.ended(end))]
        case .acknowledged, .connectionLost:
            state = .gone
            return [.exit]
        case .goReceived, .extended, .stopRequested, .killRequested, .workloadStarted, .startFailed, .mainExited,
            .treeEmpty, .guardDied, .notified, .woke:
            return []
        }
    }

    // MARK: Steps that several states share

    /// Something ended the run before its time: from here on everything is killed.
    private mutating func end(_ event: Event, by reason: RunEnd.Reason, at now: Instant) -> [Action] {
        switch event {
        case .killRequested: return clear(.killed, at: now)
        case .guardDied: return clear(.guardLost, at: now)
        case .startFailed(let step, let errno):
            return [.report(.startFailed(step: step, errno: errno))]
                + clear(.startFailed(step: step, errno: errno), at: now)
        case .mainExited(let exit): return clear(reason, exit: exit, at: now)
        case .connected, .connectionLost, .goReceived, .extended, .stopRequested, .acknowledged, .workloadStarted,
            .treeEmpty, .notified, .woke:
            return []
        }
    }

    mutating func clear(_ reason: RunEnd.Reason, exit: RunEnd.Exit? = nil, at now: Instant) -> [Action] {
        var clearing = Clearing(
            deadline: deadline ?? now, pid: workload, reason: reason, exit: exit, termSent: false,
            nextKill: now + Self.firstPause, pause: Self.firstPause)
        if case .stopping = state { clearing.termSent = true }
        if exit != nil { clearing.pid = nil }
        state = .clearing(clearing)
        return [.killTree]
    }

    mutating func finish(_ end: RunEnd) -> [Action] {
        switch daemon {
        case .present:
            state = .ended(end)
            return [.writeStatus(end), .report(.ended(end))]
        case .absent:
            state = .gone
            return [.writeStatus(end), .exit]
        }
    }

    private mutating func greet() -> [Action] {
        daemon = .present
        return [.greet(phase: phase, deadline: deadline, workload: workload)]
            + (watch?.summary() ?? []).map { .report($0) }
    }

    private mutating func loseDaemon() -> [Action] {
        daemon = .absent
        return []
    }

    var workload: Int32? {
        switch state {
        case .waiting, .starting, .ended, .gone: nil
        case .running(_, let pid): pid
        case .stopping(let stopping): stopping.pid
        case .clearing(let clearing): clearing.pid
        }
    }
}
