// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// With the lock: from the launch to the moment when the run's end is proved.
extension JobMachine {
    mutating func whenLaunching(
        _ event: Event, _ holding: Holding, giveUpAt: Instant, at now: Instant
    ) -> [Action] {
        var holding = holding
        switch event {
        case .keeperReady:
            guard !holding.lease.isOver, now < holding.lease.deadline - lostGrace else {
                return [.abandonKeeper] + release(holding, mark: nil, at: now)
            }
            holding.startedAt = now
            state = .starting(holding)
            return [.go(holding.lease.deadline)]
        case .launchFailed(let why, let jitter):
            return [.abandonKeeper] + ended(holding, .startFailed(why), jitter: jitter, at: now)
        case .runEnded(let outcome, let jitter):
            return ended(holding, outcome, jitter: jitter, at: now)
        case .drain, .abort, .replaced, .relieved:
            return [.abandonKeeper] + release(holding, mark: nil, at: now)
        case .markSeen(let mark):
            guard mark?.stops == true else { return [] }
            // A tick that was given back would be tried again.
            if isScheduled { return [.abandonKeeper] + ended(holding, .stopped, jitter: 0, at: now) }
            return [.abandonKeeper] + release(holding, mark: nil, at: now)
        case .woke, .lease:
            if event == .woke, now >= giveUpAt {
                let why = "the keeper did not come up within \(launchTimeout)"
                return [.abandonKeeper] + ended(holding, .startFailed(why), jitter: 0, at: now)
            }
            let leaseEvent: LeaseMachine.Event = if case .lease(let inner) = event { inner } else { .woke }
            var actions: [Action] = []
            for action in holding.lease.handle(leaseEvent, at: now) {
                switch action {
                case .renew(let limit): actions.append(.renew(within: limit))
                case .deadlineMoved, .deadlineNeared: break  // `go` will carry it
                case .undo: break  // the release that follows `lost` covers it
                case .lost: return actions + [.abandonKeeper] + release(holding, mark: nil, at: now)
                }
            }
            state = .launching(holding, giveUpAt: giveUpAt)
            return actions
        case .begin, .tookOver, .foundEnded, .waiting, .elected, .electionFailed, .workloadStarted, .released,
            .releaseFailed, .runRequested, .preempted, .noRoom, .withdrawn, .dormant, .room, .superseded:
            return []
        }
    }

    /// Starting (no pid yet) and running.
    mutating func whenRunning(
        _ event: Event, _ holding: Holding, pid: Int32?, at now: Instant
    ) -> [Action] {
        switch event {
        case .workloadStarted(let pid):
            state = .running(holding, pid: pid)
            return []
        case .markSeen(let mark):
            guard mark?.stops == true else { return [] }
            return stop(holding, pid: pid, at: now)
        case .drain, .replaced: return stop(holding, pid: pid, at: now)
        case .relieved: return retire()
        case .abort: return [.killWorkload] + stop(holding, pid: pid, at: now)
        case .preempted: return stop(holding, pid: pid, as: .replaced, at: now)
        case .runEnded(let outcome, let jitter): return ended(holding, outcome, jitter: jitter, at: now)
        case .woke where timeoutAt(holding).map { now >= $0 } ?? false:
            return stop(holding, pid: pid, as: .timedOut, at: now)
        case .woke, .lease:
            return keepLease(event, holding, pid: pid, at: now) { pid == nil ? .starting($0) : .running($0, pid: pid) }
        case .begin, .tookOver, .foundEnded, .waiting, .elected, .electionFailed, .keeperReady, .launchFailed,
            .released, .releaseFailed, .runRequested, .noRoom, .withdrawn, .dormant, .room, .superseded:
            return []
        }
    }

    private mutating func stop(
        _ holding: Holding, pid: Int32?, as outcome: RunOutcome = .stopped, at now: Instant
    ) -> [Action] {
        var holding = holding
        holding.stopOutcome = outcome
        // The keeper kills after `stopTimeout` by itself; this is for one that is hung.
        state = .stopping(holding, pid: pid, killAt: now + stopTimeout + .seconds(2))
        return [.stopWorkload]
    }

    mutating func whenStopping(
        _ event: Event, _ holding: Holding, pid: Int32?, killAt: Instant, at now: Instant
    ) -> [Action] {
        switch event {
        case .abort: return [.killWorkload]
        // What stopped it stands in the store, or in the files: the next daemon finds it there.
        case .relieved: return retire()
        case .runEnded(let outcome, let jitter):
            // It was being stopped: a keeper that was killed with it, and could not say so, changes nothing about that.
            let wasStopped = outcome == .keeperLost || outcome == .stopped || outcome == .hung
            return ended(holding, wasStopped ? holding.stopOutcome : outcome, jitter: jitter, at: now)
        case .workloadStarted(let pid):
            state = .stopping(holding, pid: pid, killAt: killAt)
            return [.stopWorkload]
        case .woke, .lease:
            let isOverdue = event == .woke && now >= killAt
            let later = isOverdue ? now + .seconds(2) : killAt
            let actions = keepLease(event, holding, pid: pid, at: now) { .stopping($0, pid: pid, killAt: later) }
            return isOverdue && !actions.contains(.killWorkload) ? actions + [.killWorkload] : actions
        case .begin, .tookOver, .foundEnded, .waiting, .elected, .electionFailed, .keeperReady, .launchFailed,
            .markSeen, .released, .releaseFailed, .runRequested, .preempted, .noRoom, .withdrawn, .dormant, .room,
            .superseded,
            .replaced,
            .drain:
            return []
        }
    }

    mutating func whenEnding(_ event: Event, _ holding: Holding, pid: Int32?, at now: Instant) -> [Action] {
        switch event {
        case .runEnded(let outcome, let jitter):
            // Whatever the keeper saw first: the lease was over.
            let lost = holding.lease.loss == .outrun ? RunOutcome.leaseOutrun : .leaseLost
            let told = if case .startFailed = outcome { outcome } else { lost }
            return ended(holding, told, jitter: jitter, at: now)
        case .abort, .woke: return [.killWorkload]
        case .relieved: return retire()
        case .lease(let inner):
            var holding = holding
            _ = holding.lease.handle(inner, at: now)  // over is over; only that the answer came is of use
            state = .ending(holding, pid: pid)
            return []
        case .begin, .tookOver, .foundEnded, .waiting, .elected, .electionFailed, .keeperReady, .launchFailed,
            .workloadStarted, .markSeen, .released, .releaseFailed, .runRequested, .preempted, .noRoom, .withdrawn,
            .dormant, .room, .superseded, .replaced, .drain:
            return []
        }
    }

    mutating func keepLease(
        _ event: Event, _ holding: Holding, pid: Int32?, at now: Instant, _ next: (Holding) -> State
    ) -> [Action] {
        var holding = holding
        let leaseEvent: LeaseMachine.Event = if case .lease(let inner) = event { inner } else { .woke }
        var actions: [Action] = []
        for action in holding.lease.handle(leaseEvent, at: now) {
            switch action {
            case .renew(let limit): actions.append(.renew(within: limit))
            case .deadlineMoved(let deadline): actions.append(.extend(deadline))
            case .deadlineNeared: break  // a keeper's deadline never comes nearer: this daemon kills at D as well
            case .undo: break  // the release after the proof of the end gives it back
            case .lost:
                state = .ending(holding, pid: pid)
                return actions + [.killWorkload]
            }
        }
        state = next(holding)
        return actions
    }
}

extension Mark {
    /// Whether the holder itself has to stop because of it.
    package var stops: Bool {
        switch kind {
        case .heldDown, .runEnded: true
        case .finished, .coolingDown, .paused: false
        }
    }
}
