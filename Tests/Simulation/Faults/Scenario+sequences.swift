// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// Sequences of the model checkers that chance does not find by itself: a replica that takes over and gives way again, a
/// machine that a hypervisor pauses, a vanished lock and a waiter that knows little of the server's clock, a second daemon.
///
/// They are drawn apart, and come on top of a script: a seed without any of them has the world that it always had.
extension Scenario {
    mutating func continueScript() {
        var chance = Chance(seed: seed, stream: 5)
        let rhythm = Rhythm(timeout: jobs[0].definition.lock.timeout.nanoseconds, wait: longest)
        switch replication {
        case .waitedFor: quorum = ReplicaQuorum(replicas: chance.happens(500) ? 2 : 1)
        case .none where chance.happens(120): replication = .exchanged
        case .none, .lagging, .exchanged: break
        }
        let begin = longest + 2 * rhythm.timeout
        var more: [Fault] = []
        func some(_ sequence: (Int64, Rhythm, inout Chance) -> [Fault]) {
            for _ in 0..<(1 + chance.below(3)) {
                more += sequence(chance.between(begin, max(begin, calm)), rhythm, &chance)
            }
        }
        if replication == .exchanged { some(exchangeAndBack) }
        if replication == .none, chance.happens(200) { some(chance.happens(500) ? vanishedLock : lateLook) }
        if chance.happens(40) { some(pause) }
        if chance.happens(40) { some(secondDaemon) }
        if replication == .none, chance.happens(80) { some(longSilence) }
        if replication == .none, chance.happens(30) { some(smallerFence) }
        if more.isEmpty { return }
        script = (script + more).sorted { $0.at < $1.at }
        calm = max(calm, more.map { $0.at + $0.span }.max().map { $0 + rhythm.timeout / 10 } ?? calm)
    }

    private func some(
        _ kind: Fault.Kind, _ at: Int64, _ rhythm: Rhythm, _ chance: inout Chance, _ target: Fault.Target? = nil,
        for span: Int64? = nil, by amount: Int64? = nil
    ) -> Fault {
        var fault = fault(kind, at: at, rhythm, &chance, target)
        if let span { fault.span = span }
        if let amount { fault.amount = amount }
        return fault
    }

    /// A replica takes over that does not know the last grants; the old primary lives on as its replica, in sync or not,
    /// and takes over in its turn: within the lease, or when a wait for the new one is over.
    private func exchangeAndBack(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        let lease = rhythm.timeout
        let isQuick = chance.happens(500)
        let away = isQuick ? chance.between(2_000_000, lease / 2) : rhythm.wait + chance.between(0, lease)
        let sync = chance.pick([1_000_000, away / 2, away + lease] as [Int64])
        let end = chance.pick([.workloadKill, .drain, .cut, .reset] as [Fault.Kind])
        let cut = chance.between(0, lease / 4)
        let first = cut + chance.between(0, lease / 2)
        return [
            some(.replicaCut, now + chance.between(0, cut), rhythm, &chance, for: lease),
            some(end, now + cut, rhythm, &chance, .holder),
            some(.exchange, now + first, rhythm, &chance, for: sync),
            some(.cut, now + first + chance.between(-3_000_000, away), rhythm, &chance, .holder, for: lease),
            some(.exchange, now + first + away, rhythm, &chance, for: lease),
        ]
    }

    /// The holder is away, its lock's key goes, or the server's clock moves, and others ask: some of whom have only just
    /// begun, or whose requests are late.
    private func vanishedLock(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        let lease = rhythm.timeout
        let patience = min(requestTimeout.nanoseconds, lease / 6)
        let step = lease * chance.between(1, 7) / 8
        var faults = [
            some(.late, now, rhythm, &chance, .bystander, for: lease, by: patience),
            some(.cut, now + chance.between(0, lease / 2), rhythm, &chance, .holder, for: lease * 5 / 4),
        ]
        let what = chance.pick([.loseLock, .loseLock, .storeClockForward, .storeClockBack] as [Fault.Kind])
        faults.append(some(what, now + chance.between(0, lease / 2), rhythm, &chance, by: step))
        if chance.happens(500) { faults.append(some(.loseLock, now + chance.between(0, lease), rhythm, &chance)) }
        for _ in 0..<(1 + chance.below(4)) {
            let kind = chance.pick([.reexec, .reset] as [Fault.Kind])
            faults.append(some(kind, now + chance.between(0, lease), rhythm, &chance, .bystander))
        }
        return faults
    }

    /// The first look of a daemon that has only just begun is on its way while the holder is cut off and the server's clock
    /// set forward; or it is sent right after that.
    private func lateLook(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        let lease = rhythm.timeout
        let patience = min(requestTimeout.nanoseconds, lease / 6)
        let gone = chance.between(patience / 3, patience + 60_000_000)
        let begun = chance.happens(500) ? chance.between(0, 5_000_000) : gone + chance.between(0, lease / 4)
        return [
            some(.late, now, rhythm, &chance, .bystander, for: lease / 2, by: patience),
            some(.reexec, now + begun, rhythm, &chance, .bystander),
            some(.cut, now + gone, rhythm, &chance, .holder, for: lease * 5 / 4),
            some(
                .storeClockForward, now + gone + chance.between(0, 10_000_000), rhythm, &chance,
                by: lease * chance.between(1, 7) / 8),
        ]
    }

    /// The server's clock is put back while somebody holds the lock, and looks at nothing. Much later another takes over,
    /// that clock is put forward, and the one that held the lock looks again.
    private func longSilence(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        let lease = rhythm.timeout
        let later = now + 3 * longest + chance.between(1_000_000, lease)
        let taken = later + lease + chance.between(40_000_000, 140_000_000)
        let shift = lease * chance.between(1, 4) / 8
        return [
            some(.storeClockBack, now, rhythm, &chance, by: shift),
            some(.cut, later, rhythm, &chance, .holder, for: lease * 5 / 4),
            some(.cut, taken, rhythm, &chance, .holder, for: lease * 5 / 4),
            some(.storeClockForward, taken + chance.between(0, lease / 8), rhythm, &chance, by: shift),
        ]
    }

    /// A store forgets all fences, and its clock is behind what they were made of.
    private func smallerFence(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        [
            some(.storeClockBack, now, rhythm, &chance, by: 4 * longest),
            some(.restartEmpty, now + chance.between(1_000_000, rhythm.timeout), rhythm, &chance),
        ]
    }

    /// A hypervisor's pause: the machine's clock stands still, and the first answer afterwards says so.
    private func pause(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        let length = rhythm.timeout / 2 + chance.between(0, rhythm.timeout * 2)
        return [
            some(.vmPause, now, rhythm, &chance, .holder, for: length),
            some(.reset, now + length + chance.between(0, 20_000_000), rhythm, &chance, .all),
        ]
    }

    /// A second daemon is started on a machine, while the first one hangs, or has only just asked for a keeper.
    private func secondDaemon(at now: Int64, _ rhythm: Rhythm, _ chance: inout Chance) -> [Fault] {
        let soon = chance.between(0, 20_000_000)
        if chance.happens(500) {
            return [
                some(.hang, now, rhythm, &chance, .holder, for: rhythm.timeout / 2),
                some(.secondDaemon, now + soon, rhythm, &chance, .holder),
            ]
        }
        let restart = chance.between(0, rhythm.timeout / 2)
        return [
            some(.slowLaunch, now, rhythm, &chance, .all, for: rhythm.timeout, by: rhythm.timeout / 3),
            some(.workloadKill, now + 1_000_000, rhythm, &chance, .holder),
            some(.secondDaemon, now + restart + soon, rhythm, &chance, .holder),
            some(.secondDaemon, now + restart + 4 * soon, rhythm, &chance, .all),
        ]
    }
}
