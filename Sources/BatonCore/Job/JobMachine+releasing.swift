// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// After the run: its lock is given back, with the mark that its restart policy asks for.
extension JobMachine {
    mutating func ended(
        _ holding: Holding, _ outcome: RunOutcome, jitter: Double, at now: Instant
    ) -> [Action] {
        let outcome = outcome.judged(by: successCodes)
        // A lease that is over, or about to be, is nothing to hand on.
        if want == .replace, !isScheduled, !holding.lease.isOver, now < holding.lease.deadline - timing.timeout / 2 {
            state = .retired
            return [.settle(outcome), .handOver(until: holding.lease.deadline), .retired]
        }
        let ranFor = holding.startedAt.map { now - $0 } ?? .zero
        // Who goes leaves nothing behind; what follows a tick stands in the ledger.
        if want == .drain || want == .replace || isScheduled {
            return [.settle(outcome)] + release(holding, mark: nil, at: now)
        }
        let mark = restart.mark(
            after: outcome, ranFor: ranFor, failures: holding.failures, jitter: jitter, by: node)
        return [.settle(outcome)] + release(holding, mark: mark, at: now)
    }

    mutating func release(_ holding: Holding, mark: Mark?, at now: Instant) -> [Action] {
        // A renewal that overtook the release would put the lock back: let its answer come first.
        if holding.lease.isRenewing {
            state = .releasing(holding, mark, sent: false, retryAt: nil)
            return []
        }
        state = .releasing(holding, mark, sent: true, retryAt: nil)
        return [.release(mark)]
    }

    mutating func whenReleasing(
        _ event: Event, _ holding: Holding, _ mark: Mark?, sent: Bool, retryAt: Instant?, at now: Instant
    ) -> [Action] {
        var holding = holding
        switch event {
        case .lease(let inner):
            if sent { return [] }
            if case .heard = inner { return [] }  // not what is waited for
            _ = holding.lease.handle(inner, at: now)
            state = .releasing(holding, mark, sent: true, retryAt: nil)
            return [.release(mark)]
        case .released: return next(after: mark, at: now)
        case .releaseFailed:
            if now >= holding.lease.deadline { return next(after: mark, at: now) }
            state = .releasing(holding, mark, sent: true, retryAt: now + timing.attemptTimeout / 3)
            return []
        case .woke:
            guard let retryAt, now >= retryAt else { return [] }
            state = .releasing(holding, mark, sent: true, retryAt: nil)
            return [.release(mark)]
        case .begin, .tookOver, .foundEnded, .waiting, .elected, .electionFailed, .keeperReady, .launchFailed,
            .workloadStarted, .runEnded, .markSeen, .runRequested, .preempted, .noRoom, .withdrawn, .dormant, .room,
            .superseded,
            .relieved,
            .replaced, .drain, .abort:
            return []
        }
    }

    /// After the release: compete again, a little after the others if the run failed here.
    mutating func next(after mark: Mark?, at now: Instant) -> [Action] {
        if want != .run { return retire() }
        guard let mark, mark.kind == .coolingDown, mark.failures > 0, let delay = mark.remaining else {
            return compete()
        }
        state = .resting(until: now + delay + .milliseconds(250), nil)
        return []
    }
}
