// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What the clock has a keeper do: the end of the lease, the end of a stop's patience, a workload that is hung.
extension KeeperMachine {
    var nextWake: Instant? {
        switch state {
        case .waiting, .ended, .gone: nil
        case .starting(let deadline): [deadline - lostGrace, nextNews].compactMap { $0 }.min()
        case .running(let deadline, _): [deadline - lostGrace, watch?.hangsAt, nextNews].compactMap { $0 }.min()
        case .stopping(let stopping):
            [
                stopping.reason == .leaseLost ? stopping.deadline : stopping.deadline - lostGrace, stopping.killAt,
                nextNews,
            ].compactMap { $0 }.min()
        case .clearing(let clearing): clearing.nextKill
        }
    }

    mutating func doWhatIsDue(at now: Instant) -> [Action] {
        switch state {
        case .waiting, .ended, .gone: return []
        case .starting(let deadline): return leaseEnding(deadline, pid: nil, sent: nil, at: now)
        case .running(let deadline, let pid):
            let actions = leaseEnding(deadline, pid: pid, sent: nil, at: now)
            return actions.isEmpty ? hanging(deadline, pid: pid, at: now) : actions
        case .stopping(let stopping):
            if now >= stopping.deadline { return clear(.leaseLost, at: now) }
            if now >= stopping.killAt { return clear(stopping.reason, at: now) }
            if stopping.reason == .leaseLost { return [] }
            return leaseEnding(stopping.deadline, pid: stopping.pid, sent: stopping, at: now)
        case .clearing(var clearing):
            if now < clearing.nextKill { return [] }
            clearing.pause = min(clearing.pause * 2, Self.longestPause)
            clearing.nextKill = now + clearing.pause
            state = .clearing(clearing)
            return [.killTree]
        }
    }

    /// TERM at `deadline − lostGrace`, KILL at `deadline`.
    ///
    /// After the TERM, a longer lease moves the KILL only as far as an ordinary stop would: it is final.
    private mutating func leaseEnding(_ deadline: Instant, pid: Int32?, sent: Stopping?, at now: Instant) -> [Action] {
        if now >= deadline { return clear(.leaseLost, at: now) }
        if now < deadline - lostGrace { return [] }
        let killAt = now + max(lostGrace, stopTimeout)
        state = .stopping(
            Stopping(
                deadline: deadline, killAt: min(killAt, sent?.killAt ?? killAt), pid: pid, signal: Self.termination,
                reason: .leaseLost))
        return pid == nil || sent?.signal == Self.termination ? [] : [.signalWorkload(Self.termination)]
    }

    /// A program that was to speak and did not, or says itself that it hangs.
    mutating func hanging(_ deadline: Instant, pid: Int32, at now: Instant) -> [Action] {
        guard watch?.isHung(at: now) == true else { return [] }
        state = .stopping(
            Stopping(deadline: deadline, killAt: now + stopTimeout, pid: pid, signal: Self.abort, reason: .hung))
        return [.signalWorkload(Self.abort)]
    }

    /// What the workload said, for a daemon that does not know it yet.
    mutating func whatItSays(at now: Instant) -> [Action] {
        guard daemon == .present else { return [] }
        switch state {
        case .waiting, .clearing, .ended, .gone: return []
        case .starting, .running, .stopping: return (watch?.news(at: now) ?? []).map { .report($0) }
        }
    }

    private var nextNews: Instant? { daemon == .present ? watch?.nextNews : nil }
}
