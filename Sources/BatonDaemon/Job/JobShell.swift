// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging

/// What a ``JobLoop`` needs to be carried out: the handles of what its effects led to.
struct JobShell {
    let runner: JobRunner
    var alarm = Alarm()
    private(set) var loop: JobLoop
    let lock: LockClient
    /// What all competitions of this loop have learned: one that room on the node ends early must not make the next one
    /// wait from the beginning.
    let waiter: Waiter
    /// Rings when it is worth asking for the lock again.
    let competition = Doorbell()
    var logger: Logger
    /// Ends the competition that goes on.
    var withdrawal = Doorbell()
    /// The keeper of the loop's run, while it is connected.
    var link: KeeperLink?
    /// Keepers that are connected, and of whom the loop has yet to say what becomes.
    var arrivals: [String: KeeperLink] = [:]
    /// When the loop got the lock. RFC 3339.
    var since = WallClock.rfc3339()
    var lastRun: StatusReport.LastRun?
    /// When the loop began to look after the job.
    let upSince: Instant
    /// The last run that was launched here, and when.
    var launched: (runID: String, since: String)?
    /// How the loop's run ended, until its lock is released.
    var ended: (runID: String, outcome: RunOutcome)?
    /// What the workload says of itself.
    private var notice: (runID: String, isReady: Bool, status: String)?
    /// For people; may be newer than the definition.
    private var description: String
    /// The state that the log told of last.
    private var said: StatusReport.State?
    /// Why the loop may end.
    private var dormancy: JobRunner.Dormancy?
    /// Whether others may look in its place.
    private var hasLooked = false
    /// Who waits for the run's last output.
    private var tailReaders: [AsyncStream<Bytes>.Continuation] = []
    /// Who follows the output, and what they wait for.
    var desk = OutputDesk()

    var context: NodeContext { runner.context }
    var definition: JobDefinition { runner.definition }

    init(runner: JobRunner) {
        self.runner = runner
        let timing = runner.context.timing(of: runner.definition.lock.timeout)
        lock = runner.lock
        waiter = runner.waker?.waiter ?? Waiter(lock.policy)
        loop = JobLoop(
            definition: runner.definition, timing: timing, node: runner.context.name, legacy: runner.legacy)
        logger = runner.context.logger(of: runner.definition.name)
        description = runner.definition.description
        // Of the loop before this one.
        lastRun = runner.context.board.job(runner.definition.name)?.lastRun
        upSince = runner.waker?.upSince ?? BootClock.now()
        if runner.waker?.isKnown == true { said = .standby }
    }

    /// How the loop ends, now that it does.
    var ending: JobRunner.Ending {
        guard loop.isDormant, var dormancy else { return .done(loop.legacy) }
        if waiter.hasLearned { dormancy.waiter = waiter }
        return .dormant(dormancy)
    }

    mutating func begin(_ group: inout DiscardingTaskGroup) {
        guard let inherited = runner.inherited else { return advance(.begun, &group) }
        let run = inherited.found.run
        logger.log(
            level: .notice, "run of an earlier daemon found", event: .runAdopted,
            metadata: ["run": "\(run.runID)", "fence": "\(run.record.fence)"])
        arrivals[run.runID] = inherited.link
        advance(.inherited(inherited.found), &group)
        if !context.competes(definition) { advance(.event(.drain), &group) }
    }

    /// One message from the mailbox.
    mutating func handle(_ message: JobRunner.Message, _ group: inout DiscardingTaskGroup) {
        switch message {
        case .event(let event): advance(.event(event), &group)
        case .loop(let message): advance(message, &group)
        case .alarm(let instant):
            if alarm.came(instant, at: BootClock.now(), runner, &group) { advance(.event(.woke), &group) }
        case .launched(let runID, .success(let link)):
            arrivals[runID] = link
            advance(.launched(runID: runID), &group)
        case .launched(let runID, .failure(let error)):
            advance(.launchFailed(runID: runID, "\(error)"), &group)
        case .keeper(let runID, let report): heard(report, of: runID, &group)
        case .tailWanted(let inlet):
            guard let link else { return inlet.finish() }
            tailReaders.append(inlet)
            link.send(.tail)
        case .superseded(let definition):
            description = definition.description
            advance(.event(.superseded(definition.restart)), &group)
        case .outputWanted(let request):
            if desk.ask(request, of: loop.run) { link?.send(.output(after: request.after)) }
        case .followers(let change): desk.followers += change
        case .dormant(let election, let dormancy):
            self.dormancy = dormancy
            advance(.dormant(election), &group)
        case .pulse:
            // A renewal that neither came back nor ran into its own time limit: this loop is not well.
            if !loop.machine.isRenewalOverdue(at: BootClock.now()) { context.pulse.progressed(runner.loopName) }
        }
    }

    /// One message through the loop, its effects performed.
    private mutating func advance(_ message: JobLoop.Message, _ group: inout DiscardingTaskGroup) {
        let effects = context.room.change { room in
            loop.handle(message, room: &room, jitter: .random(in: 0..<1), at: BootClock.now())
        }
        for effect in effects { perform(effect, &group) }
        if loop.run?.isConnected != true { link = nil }
        if !hasLooked, !loop.machine.isLooking {
            hasLooked = true
            runner.waker?.looked()
        }
    }

    private mutating func heard(_ report: KeeperReport?, of runID: String, _ group: inout DiscardingTaskGroup) {
        let isCurrent = loop.run?.runID == runID
        switch report {
        case .hello(let hello): if hello.phase == .waiting { advance(.keeper(runID: runID, .ready), &group) }
        case .started(let pid, _):
            context.metrics.started(runID, of: definition, loop.run?.record.turn, at: context.store.tickTime())
            advance(.keeper(runID: runID, .started(pid: pid)), &group)
        case .startFailed: break  // `ended` follows, with the reason
        case .ended(let end):
            // Before it is told that it may go: whoever follows is to see the run's last words.
            if isCurrent, let run = loop.run, desk.ends(run) { link?.send(.output(after: 0)) }
            advance(.keeper(runID: runID, .ended(RunOutcome(end))), &group)
        case .tail(let bytes): if isCurrent { answerTails(bytes) }
        case .output(let after, let from, let bytes):
            // Also after the run.
            desk.heard(.init(runID: runID, from: from, bytes: bytes), after: after)
        case .notified(let isReady, let status):
            if isCurrent { noted(runID, isReady, status) }
        case nil:
            desk.lost(runID)
            if isCurrent {
                answerTails(nil)
                link = nil
            }
            advance(.keeper(runID: runID, .hungUp), &group)
        }
    }

    /// The workload said how it is.
    private mutating func noted(_ runID: String, _ isReady: Bool, _ status: String) {
        let wasReady = notice?.runID == runID && notice?.isReady == true
        notice = (runID, isReady, status)
        if isReady, !wasReady { logger.info("the workload says that it is ready", metadata: ["run": "\(runID)"]) }
        show(loop.machine.describe(at: BootClock.now()))
    }

    private mutating func answerTails(_ bytes: Bytes?) {
        for reader in tailReaders {
            if let bytes { reader.yield(bytes) }
            reader.finish()
        }
        tailReaders = []
    }

    /// The machine was told something: that goes into the log, and into `status`.
    mutating func tell(
        of event: JobMachine.Event, from before: JobMachine.Description, to after: JobMachine.Description
    ) {
        log(event, from: before, to: after)
        show(after)
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
            metadata.merge(turnMetadata(of: run.runID)) { $1 }
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
            if definition.run.notify {
                let said = notice.flatMap { $0.runID == run.runID ? $0 : nil }
                shown.run?.isReady = said?.isReady ?? false
                shown.run?.status = said.flatMap { $0.status.isEmpty ? nil : $0.status }
            }
        }
        context.board.post(shown, machine: loop.machine)
    }
}
