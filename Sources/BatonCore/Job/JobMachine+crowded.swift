// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Without room on this node: no lock is asked for.
extension JobMachine {
    /// The competition was told to stop, and has not yet ended: another one must not begin beside it.
    mutating func whenLeaving(_ event: Event, _ obstacle: RunQuota.Obstacle, at now: Instant) -> [Action] {
        switch event {
        case .withdrawn, .dormant:
            state = .crowded(obstacle)
            return []
        case .noRoom(let another):
            state = .leaving(another)
            return []
        case .electionFailed(let why):
            state = .resting(until: now + .seconds(5), why)
            return []
        case .elected(let runID, let fence, let failures, let sentAt, _):
            return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
        case .drain, .abort, .replaced, .superseded, .relieved: return retire()
        case .begin, .tookOver, .foundEnded, .waiting, .lease, .keeperReady, .launchFailed, .workloadStarted, .runEnded,
            .markSeen, .released, .releaseFailed, .runRequested, .preempted, .room, .woke:
            return []
        }
    }

    mutating func whenCrowded(_ event: Event, at now: Instant) -> [Action] {
        switch event {
        case .room: return compete()
        case .noRoom(let another):
            state = .crowded(another)
            return []
        case .drain, .abort, .replaced, .superseded, .relieved: return retire()
        case .elected(let runID, let fence, let failures, let sentAt, _):
            return giveBack(runID, fence, failures, sentAt: sentAt, at: now)
        case .begin, .tookOver, .foundEnded, .waiting, .dormant, .electionFailed, .lease, .keeperReady, .launchFailed,
            .workloadStarted, .runEnded, .markSeen, .released, .releaseFailed, .runRequested, .preempted, .withdrawn,
            .woke:
            return []
        }
    }

    /// Whether a run of this job takes room on the node: from the election on, until it is proved to be over.
    package var takesRoom: Bool {
        switch state {
        case .launching, .starting, .running, .stopping, .ending: true
        case .idle, .competing, .leaving, .crowded, .resting, .dormant, .releasing, .retired: false
        }
    }

    package var isCompeting: Bool { if case .competing = state { true } else { false } }

    package var isCrowded: Bool { if case .crowded = state { true } else { false } }
}
