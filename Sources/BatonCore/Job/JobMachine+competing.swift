// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Without the lock: competing for it, or keeping out of the way for a while.
extension JobMachine {
    mutating func whenIdle(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .begin, .runRequested: return compete()
        case .tookOver(let runID, let fence, let deadline, let pid):
            let lease = LeaseMachine(timing: timing, deadline: deadline, now: now)
            let holding = Holding(runID: runID, fence: fence, failures: 0, lease: lease, startedAt: now)
            return whenRunning(.woke, holding, pid: pid, at: now)
        case .foundEnded(let runID, let fence, let outcome, let jitter):
            // Its lease may be over or not: nobody can be hurt by a release that is refused.
            let lease = LeaseMachine(timing: timing, deadline: now + timing.timeout, now: now + timing.timeout)
            let holding = Holding(runID: runID, fence: fence, failures: 0, lease: lease, startedAt: nil)
            return ended(holding, outcome, jitter: jitter, at: now)
        case .drain, .abort, .replaced, .superseded, .relieved: return retire()
        case .elected(let runID, let fence, let failures, let sentAt, _):
            return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
        case .waiting, .dormant, .electionFailed, .lease, .keeperReady, .launchFailed, .workloadStarted, .runEnded,
            .markSeen, .released, .releaseFailed, .preempted, .noRoom, .withdrawn, .room, .woke:
            return []
        }
    }

    mutating func whenCompeting(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .waiting(let why):
            state = .competing(why)
            return []
        case .dormant:
            state = .dormant
            return []
        case .elected(let runID, let fence, let failures, let sentAt, let granted):
            let lease = LeaseMachine(timing: timing, sentAt: sentAt, granted: granted, knowing: reading)
            // Too little left to start anything with: the keeper would send TERM at once.
            if now >= lease.deadline - lostGrace {
                return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
            }
            let holding = Holding(runID: runID, fence: fence, failures: failures, lease: lease, startedAt: nil)
            state = .launching(holding, giveUpAt: now + launchTimeout)
            return [.launch]
        case .electionFailed(let why):
            state = .resting(until: now + .seconds(5), why)
            return []
        case .noRoom(let obstacle):
            state = .leaving(obstacle)
            return [.withdraw]
        case .drain, .abort, .replaced, .superseded, .relieved: return [.withdraw] + retire()
        case .begin, .tookOver, .foundEnded, .lease, .keeperReady, .launchFailed, .workloadStarted, .runEnded,
            .markSeen, .released, .releaseFailed, .runRequested, .preempted, .withdrawn, .room, .woke:
            return []
        }
    }

    mutating func whenResting(_ event: Event, until: Instant, at now: Instant) -> [Action] {
        switch event {
        case .woke: return now >= until ? compete() : []
        case .runRequested: return compete()
        case .drain, .abort, .replaced, .superseded, .relieved: return retire()
        case .elected(let runID, let fence, let failures, let sentAt, _):
            return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
        case .begin, .tookOver, .foundEnded, .waiting, .dormant, .electionFailed, .lease, .keeperReady, .launchFailed,
            .workloadStarted, .runEnded, .markSeen, .released, .releaseFailed, .preempted, .noRoom, .withdrawn, .room:
            return []
        }
    }

    /// Whoever looks after the job from here on has its loop begin anew.
    mutating func whenDormant(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .drain, .abort, .replaced, .superseded, .relieved: return retire()
        case .elected(let runID, let fence, let failures, let sentAt, _):
            return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
        case .begin, .tookOver, .foundEnded, .waiting, .dormant, .electionFailed, .lease, .keeperReady, .launchFailed,
            .workloadStarted, .runEnded, .markSeen, .released, .releaseFailed, .runRequested, .preempted, .noRoom,
            .withdrawn, .room, .woke:
            return []
        }
    }

    mutating func whenRetired(_ event: Event, at now: Instant) -> [Action] {
        guard case .elected(let runID, let fence, let failures, let sentAt, _) = event else { return [] }
        return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
    }

    mutating func compete() -> [Action] {
        if want != .run { return retire() }
        state = .competing(nil)
        return [.compete]
    }

    mutating func retire() -> [Action] {
        state = .retired
        return [.retired]
    }

    /// A grant that is of no use any more.
    mutating func giveBack(
        _ runID: String, _ fence: Int64, _ failures: Int, sentAt: Instant, at now: Instant
    ) -> [Action] {
        let lease = LeaseMachine(timing: timing, sentAt: sentAt)
        return release(
            Holding(runID: runID, fence: fence, failures: failures, lease: lease, startedAt: nil), mark: nil, at: now)
    }
}
