// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One job on one node, as far as it is decided: a ``JobMachine``, the run that its actions have led to, and the node's
/// room for it.
///
/// Messages come in one after the other; what they lead to is to be done in the order in which it is said, and nothing of
/// it is waited for: what comes of it is another message.
package struct JobLoop: Equatable, Sendable {
    package let job: String
    package private(set) var machine: JobMachine
    package private(set) var run: ActiveRun?
    /// The number of the competition that goes on.
    private var election: Int?
    private var elections = 0
    /// Keepers that were asked for, and are neither up nor known to have failed.
    private var launches = 0
    /// The lock that the loop before this one left to it, until the first competition.
    private var inheritedLock: LockLegacy?
    /// The first competition is for that lock, and has not yet said anything.
    private var awaitsHandedLock: Bool
    /// The lock that this loop leaves to the next one.
    package private(set) var legacy: LockLegacy?
    /// What the machine is told as soon as it has dealt with what it is told now.
    private var pending: [JobMachine.Event] = []

    /// - Parameter legacy: the lock, if the loop before this one left it.
    package init(definition: JobDefinition, timing: LeaseTiming, node: String, legacy: LockLegacy? = nil) {
        job = definition.name
        machine = JobMachine(definition: definition, timing: timing, node: node)
        inheritedLock = legacy
        awaitsHandedLock = legacy != nil
    }

    /// Whether it may end: nothing is on its way that it would have to deal with.
    package var isDone: Bool { machine.isRetired && election == nil && launches == 0 }

    /// Whether it may end although the job goes on: another one begins when there is something to do again.
    package var isDormant: Bool { machine.isDormant && election == nil && launches == 0 }

    /// - Parameters:
    ///   - room: the node's, which all jobs share.
    ///   - jitter: 0 ..< 1, for the restart delay after a run that ends with this message.
    package mutating func handle(
        _ message: Message, room: inout RunQuota, jitter: Double, at now: Instant
    ) -> [Effect] {
        var effects: [Effect] = []
        take(message, &room, jitter, now, &effects)
        while !pending.isEmpty { apply(pending.removeFirst(), &room, now, &effects) }
        return effects
    }

    private mutating func take(
        _ message: Message, _ room: inout RunQuota, _ jitter: Double, _ now: Instant, _ effects: inout [Effect]
    ) {
        switch message {
        case .begun: apply(.begin, &room, now, &effects)
        case .inherited(let inherited):
            run = inherited.run
            if inherited.run.isConnected { effects.append(.listen(runID: inherited.run.runID)) }
            apply(inherited.event, &room, now, &effects)
        case .event(let event):
            apply(event, &room, now, &effects)
            // It rests for a while, and may have left a ring unanswered.
            if case .electionFailed = event { recollect(&effects) }
        case .electionOver(let number, let grant, let runID):
            let isCurrent = election == number
            if isCurrent { election = nil }
            if let grant {
                elected(grant, runID: runID, &room, now, &effects)
            } else if isCurrent {
                apply(.withdrawn, &room, now, &effects)
            }
        case .dormant(let number):
            guard election == number else { return }
            election = nil
            apply(.dormant, &room, now, &effects)
        case .launched(let runID):
            launches -= 1
            guard run?.runID == runID, run?.keeper == .awaited else {
                effects.append(.dismiss(runID: runID))
                return
            }
            run?.keeper = .connected
            effects.append(.listen(runID: runID))
        case .launchFailed(let runID, let why):
            launches -= 1
            guard run?.runID == runID else { return }
            apply(.launchFailed(why, jitter: jitter), &room, now, &effects)
        case .keeper(let runID, let word):
            guard run?.runID == runID else { return }
            heard(word, of: runID, &room, jitter, now, &effects)
        case .treeGone(let runID, let outcome):
            guard run?.runID == runID else { return }
            // A hung keeper would keep the job's next run from starting here.
            if outcome == nil { effects.append(.killKeeper) }
            apply(.runEnded(outcome ?? .keeperLost, jitter: jitter), &room, now, &effects)
        case .roomChanged:
            apply(room.obstacle(to: job).map { .noRoom($0) } ?? .room, &room, now, &effects)
        case .preempted(let runID): if run?.runID == runID { apply(.preempted, &room, now, &effects) }
        case .rang:
            if run != nil { effects.append(.lookAtMark) }
            if !machine.isCompeting { recollect(&effects) }
        case .renewed(let runID, let event, let record):
            if run?.runID == runID, let record {
                run?.record = record
                run?.isInherited = record.successor != nil
            }
            apply(.lease(event), &room, now, &effects)
        }
    }

    private mutating func elected(
        _ grant: LockGrant, runID: String, _ room: inout RunQuota, _ now: Instant, _ effects: inout [Effect]
    ) {
        let fence = grant.fence ?? 0
        let record = LeaseRecord(
            token: grant.token, fence: fence, timeout: machine.timing.timeout, turn: grant.turn)
        effects.append(.noteFence(fence))
        guard run == nil else {
            // An earlier competition that was not waited for.
            effects.append(
                .giveBack(LockLegacy(record: record, deadline: machine.timing.deadline(sentAt: grant.sentAt))))
            return
        }
        run = ActiveRun(runID: runID, record: record)
        // Others may have been elected for the last room there was.
        if machine.isCompeting, !room.claim(job), let obstacle = room.obstacle {
            apply(.noRoom(obstacle), &room, now, &effects)
        }
        apply(
            .elected(
                runID: runID, fence: fence, failures: grant.failures, sentAt: grant.sentAt, granted: grant.granted),
            &room, now, &effects)
        // A mark that was set meanwhile may have been announced before there was a run to look for.
        effects.append(.lookAtMark)
    }

    private mutating func heard(
        _ word: KeeperWord, of runID: String, _ room: inout RunQuota, _ jitter: Double, _ now: Instant,
        _ effects: inout [Effect]
    ) {
        switch word {
        case .ready: apply(.keeperReady, &room, now, &effects)
        case .started(let pid): apply(.workloadStarted(pid: pid), &room, now, &effects)
        case .ended(let outcome):
            if run?.keeper == .connected { run?.keeper = .ended }
            apply(.runEnded(outcome, jitter: jitter), &room, now, &effects)
        case .hungUp:
            switch run?.keeper {
            case .awaited, .connected:
                // It died, or exited before it was told to go. Either way: see for ourselves that nothing is left.
                effects.append(.clear(runID: runID))
                run?.keeper = .gone
            case .ended: run?.keeper = .done
            case .done, .abandoned, .gone, nil: break
            }
        }
    }

    // MARK: The machine

    private mutating func apply(
        _ event: JobMachine.Event, _ room: inout RunQuota, _ now: Instant, _ effects: inout [Effect]
    ) {
        let before = machine.describe(at: now)
        for action in machine.handle(event, at: now) { perform(action, room, &effects) }
        keepRoom(after: event, &room)
        effects.append(.moved(by: event, from: before, to: machine.describe(at: now)))
    }

    /// What each action of the machine means.
    private mutating func perform(_ action: JobMachine.Action, _ room: RunQuota, _ effects: inout [Effect]) {
        switch action {
        case .compete: compete(room, &effects)
        case .withdraw:
            if election != nil { effects.append(.withdraw) }
            // The competition that ends may have left a ring unanswered.
            if !machine.isRetired { recollect(&effects) }
        case .launch:
            guard let run else { return }
            launches += 1
            effects.append(.launch(runID: run.runID, run.record))
        case .abandonKeeper:
            if let run, run.isConnected { effects.append(.dismiss(runID: run.runID)) }
            run?.keeper = .abandoned
        case .go(let deadline): tell(.go(deadline: deadline), &effects)
        case .extend(let deadline): tell(.extend(deadline: deadline), &effects)
        case .stopWorkload: tell(.stop, &effects)
        case .killWorkload:
            // Through the keeper, and without it.
            tell(.kill, &effects)
            if let run { effects.append(.clear(runID: run.runID)) }
        case .renew(let limit):
            guard let run, let deadline = machine.leaseDeadline else { return }
            effects.append(.renew(run, until: deadline, within: limit))
        case .release(let mark):
            guard let run else { return pending.append(.released) }
            effects.append(.release(run.record, mark))
        case .handOver(let deadline): legacy = run.map { LockLegacy(record: $0.record, deadline: deadline) }
        case .settle(let outcome):
            guard let run else { return }
            tell(.ack, &effects)
            effects.append(.settle(run, outcome))
        case .wake(let instant): effects.append(.wake(at: instant))
        case .retired: break
        }
    }

    private func tell(_ order: KeeperOrder, _ effects: inout [Effect]) {
        if let run, run.isConnected { effects.append(.tell(order)) }
    }

    private func recollect(_ effects: inout [Effect]) { if machine.isScheduled { effects.append(.recollect) } }

    private mutating func compete(_ room: RunQuota, _ effects: inout [Effect]) {
        run = nil
        let legacy = inheritedLock
        // Once: what a second competition would take over is not there any more.
        inheritedLock = nil
        guard let obstacle = room.obstacle(to: job) else {
            elections += 1
            election = elections
            effects.append(.compete(election: elections, legacy))
            return
        }
        // Nothing was begun that would have to be waited for.
        if let legacy { effects.append(.giveBack(legacy)) }
        pending += [.noRoom(obstacle), .withdrawn]
    }

    /// Gives the room back when no run of the job needs it any more. A lock that one loop hands on to the next keeps it,
    /// until the next one has it or has begun to compete as everybody does.
    private mutating func keepRoom(after event: JobMachine.Event, _ room: inout RunQuota) {
        switch event {
        case .elected, .waiting, .dormant, .electionFailed, .withdrawn: awaitsHandedLock = false
        case .begin, .tookOver, .foundEnded, .lease, .keeperReady, .launchFailed, .workloadStarted, .runEnded,
            .markSeen, .released, .releaseFailed, .runRequested, .preempted, .superseded, .replaced, .noRoom, .room,
            .relieved,
            .drain, .abort, .woke:
            break
        }
        if !machine.takesRoom, legacy == nil, !awaitsHandedLock { room.free(job) }
        // There may be room again since it was said that there is none.
        if machine.isCrowded, pending.isEmpty, room.obstacle(to: job) == nil { pending.append(.room) }
    }
}
