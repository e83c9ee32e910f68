// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// The loop's own state: the machine, and the handles that its actions need.
struct JobShell {
    let runner: JobRunner
    var alarm = Alarm()
    var machine: JobMachine
    var run: ActiveRun?
    let lock: LockClient
    /// Rings when it is worth asking for the lock again.
    let competition = Doorbell()
    var logger: Logger
    /// The competition that goes on, and the bell that ends it.
    var election: (runID: String, withdrawal: Doorbell)?
    /// Keepers that were asked for, and are neither up nor known to have failed.
    var launches = 0
    var lastRun: StatusReport.LastRun?
    /// The lock that this loop leaves to the next one.
    var legacy: LockLegacy?
    /// The lock that the loop before this one left to it, until the first competition.
    private var inheritedLock: LockLegacy?
    /// The first competition is for that lock, and has not yet said anything.
    var awaitsHandedLock: Bool
    /// For people; may be newer than the definition.
    private var description: String
    /// The state that the log told of last.
    private var said: StatusReport.State?
    /// Who waits for the run's last output.
    private var tailReaders: [AsyncStream<Bytes>.Continuation] = []
    /// Who follows the output, and what they wait for.
    var desk = OutputDesk()
    private(set) var isDone = false

    var context: NodeContext { runner.context }
    var definition: JobDefinition { runner.definition }

    init(runner: JobRunner) {
        self.runner = runner
        let timing = runner.context.timing(of: runner.definition.lock.timeout)
        lock = runner.lock
        machine = JobMachine(definition: runner.definition, timing: timing, node: runner.context.name)
        logger = runner.context.logger
        logger[metadataKey: "job"] = "\(runner.definition.name)"
        description = runner.definition.description
        inheritedLock = runner.legacy
        awaitsHandedLock = runner.legacy != nil
        // Of the loop before this one.
        lastRun = runner.context.board.job(runner.definition.name)?.lastRun
    }

    mutating func begin(_ group: inout DiscardingTaskGroup) {
        guard let inherited = runner.inherited else { return apply(.begin, &group) }
        logger.log(
            level: .notice, "run of an earlier daemon found", event: .runAdopted,
            metadata: ["run": "\(inherited.run.runID)", "fence": "\(inherited.run.record.fence)"])
        run = inherited.run
        if let link = inherited.run.link { listen(to: link, runID: inherited.run.runID, &group) }
        apply(inherited.event, &group)
        if !context.competes(definition) { apply(.drain, &group) }
    }

    /// One message from the mailbox.
    mutating func handle(_ message: JobRunner.Message, _ group: inout DiscardingTaskGroup) {
        switch message {
        case .event(let event): apply(event, &group)
        case .alarm(let instant):
            if alarm.came(instant, at: BootClock.now(), runner, &group) { apply(.woke, &group) }
        case .electionOver(let grant, let runID):
            if election?.runID == runID { election = nil }
            if let grant { elected(grant, runID: runID, &group) } else { apply(.withdrawn, &group) }
            finishIfDone()
        case .launched(let runID, let result):
            launches -= 1
            launched(runID, result, &group)
            finishIfDone()
        case .keeper(let runID, .output(let after, let from, let bytes)?):
            desk.heard(.init(runID: runID, from: from, bytes: bytes), after: after)
        case .keeper(let runID, let report):
            if report == nil { desk.lost(runID) }
            if run?.runID == runID { heard(report, &group) }
        case .treeGone(let runID, let end):
            guard run?.runID == runID else { return }
            // A hung keeper would keep the job's next run from starting here.
            if end == nil { run?.link?.killKeeper() }
            let outcome = end.map { RunOutcome($0) } ?? .keeperLost
            apply(.runEnded(outcome, jitter: .random(in: 0..<1)), &group)
        case .roomChanged: apply(obstacle.map { .noRoom($0) } ?? .room, &group)
        case .rang: if run != nil { lookAtMark(&group) }
        case .tookOver(let runID, let record):
            guard run?.runID == runID else { return }
            run?.record = record
            run?.isInherited = record.successor != nil
        case .tailWanted(let inlet):
            guard let link = run?.link else { return inlet.finish() }
            tailReaders.append(inlet)
            link.send(.tail)
        case .superseded(let definition):
            description = definition.description
            apply(.superseded(definition.restart), &group)
        case .outputWanted(let request):
            if desk.ask(request, of: run) { run?.link?.send(.output(after: request.after)) }
        case .followers(let change): desk.followers += change
        case .pulse:
            // A renewal that neither came back nor ran into its own time limit: this loop is not well.
            if !machine.isRenewalOverdue(at: BootClock.now()) { context.pulse.progressed(runner.loopName) }
        }
    }

    /// Once: what a second competition would take over is not there any more.
    mutating func inheritLock() -> LockLegacy? {
        defer { inheritedLock = nil }
        return inheritedLock
    }

    private mutating func launched(
        _ runID: String, _ result: Result<KeeperLink, any Error>, _ group: inout DiscardingTaskGroup
    ) {
        switch result {
        case .success(let link):
            guard run?.runID == runID, run?.isAbandoned == false else {
                link.close()
                return discard(runID, &group)
            }
            run?.link = link
            listen(to: link, runID: runID, &group)
        case .failure(let error):
            guard run?.runID == runID else { return }
            apply(.launchFailed("\(error)", jitter: .random(in: 0..<1)), &group)
        }
    }

    private mutating func elected(_ grant: LockGrant, runID: String, _ group: inout DiscardingTaskGroup) {
        let fence = grant.fence ?? 0
        context.fences.saw(fence, of: definition.name)
        if run == nil {
            run = ActiveRun(
                runID: runID,
                record: LeaseRecord(token: grant.token, fence: fence, timeout: definition.lock.timeout))
        }
        // Others may have been elected for the last room there was.
        if machine.isCompeting, let obstacle = context.room.claim(definition.name) {
            apply(.noRoom(obstacle), &group)
        }
        apply(.elected(runID: runID, fence: fence, failures: grant.failures, sentAt: grant.sentAt), &group)
        // A mark that was set meanwhile may have been announced before there was a run to look for.
        lookAtMark(&group)
    }

    private mutating func heard(_ report: KeeperReport?, _ group: inout DiscardingTaskGroup) {
        switch report {
        case .hello(let hello):
            if hello.phase == .waiting { apply(.keeperReady, &group) }
        case .started(let pid, _): apply(.workloadStarted(pid: pid), &group)
        case .startFailed: break  // `ended` follows, with the reason
        case .ended(let end):
            run?.hasEnded = true
            // Before it is told that it may go: whoever follows is to see the run's last words.
            if let run, desk.ends(run) { run.link?.send(.output(after: 0)) }
            apply(.runEnded(RunOutcome(end), jitter: .random(in: 0..<1)), &group)
        case .tail(let bytes): answerTails(bytes)
        case .output: break  // answered at the desk, also after the run
        case nil:
            answerTails(nil)
            // Its keeper died, or exited before it was told to go. Either way: see for ourselves that nothing is left.
            run?.link = nil
            if let run, !run.hasEnded { clear(run, &group) }
        }
    }

    private mutating func answerTails(_ bytes: Bytes?) {
        for reader in tailReaders {
            if let bytes { reader.yield(bytes) }
            reader.finish()
        }
        tailReaders = []
    }

    /// One event through the machine, its actions performed, the transition logged and shown.
    mutating func apply(_ event: JobMachine.Event, _ group: inout DiscardingTaskGroup) {
        let now = BootClock.now()
        let before = machine.describe(at: now)
        let actions = machine.handle(event, at: now)
        for action in actions { perform(action, &group) }
        keepRoom(after: event)
        let after = machine.describe(at: now)
        log(event, from: before, to: after)
        show(after)
        finishIfDone()
    }

    private mutating func finishIfDone() {
        if machine.isRetired, election == nil, launches == 0 { isDone = true }
    }

    private mutating func log(
        _ event: JobMachine.Event, from before: JobMachine.Description, to after: JobMachine.Description
    ) {
        logger.debug("heard", metadata: ["what": "\(event)", "state": "\(after.state)"])
        guard let state = worthSaying(event, before, after) else { return }
        said = state
        var metadata: Logger.Metadata = [:]
        if let run = after.run ?? before.run {
            metadata["run"] = "\(run.runID)"
            metadata["fence"] = "\(run.fence)"
            if let pid = run.pid { metadata["pid"] = "\(pid)" }
        }
        if let reason = after.reason { metadata["reason"] = "\(reason)" }
        logger.log(
            level: .info, "\(after.state.rawValue)", event: EventKind(enteringState: after.state), metadata: metadata)
    }

    /// The state, if it is news to somebody who reads along. A release, and a competition that has not heard from the
    /// store yet, are over in milliseconds: they are no news unless something is in their way.
    private func worthSaying(
        _ event: JobMachine.Event, _ before: JobMachine.Description, _ after: JobMachine.Description
    ) -> StatusReport.State? {
        switch (after.state, after.reason, after.run) {
        case (.stopping, nil, nil): return nil
        // A full node: each run that begins or ends would have every other job say something.
        case (.ineligible, _, _): return nil
        case (.standby, nil, nil): if case .waiting = event { break } else { return nil }
        default: break
        }
        if after.state == said, before.reason != nil || after.reason == nil { return nil }
        return after.state
    }

    private func show(_ description: JobMachine.Description) {
        var shown = StatusReport.Job(
            name: definition.name, description: self.description, state: description.state)
        shown.reason = description.reason
        shown.lastRun = lastRun
        if let run = description.run {
            shown.run = .init(
                runID: run.runID, pid: run.pid, leaseUntilMilliseconds: 0, attempt: run.failures + 1)
        }
        context.board.post(shown, machine: machine)
    }
}
