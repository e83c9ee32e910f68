// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The loop of one job in a daemon: Baton's own, and the handles that a shell around it has.
///
/// An object, because it is large and looked at all the time.
final class Shell {
    let id: Int32
    let node: Int
    let job: Int
    let definition: JobDefinition
    let policy: LockPolicy
    var loop: JobLoop
    /// The competition that goes on; earlier ones may have something to put away yet.
    var election: Election?
    /// What all competitions of the loop have learned.
    var waiter: WaitMachine
    /// It is worth asking for the lock.
    var isRung = false
    var renewal: RenewalMachine?
    var renewed: String?
    var releasing: ReleaseMachine?
    /// Where the loop's keeper is, and keepers of whom the loop has yet to say what becomes.
    var keeper: Attachment?
    var arrivals: [Attachment] = []
    var alarm = Alarm()
    /// Of a job that has nothing to do: when it is looked at again, by the store's clock.
    var dormantUntil: Int64?
    /// The same, before the loop was told.
    var wakesAt: Int64 = .max
    /// It was told to be done, and may not have heard yet.
    var isTold = false
    var isDone = false
    /// How the run of a tick ended, until that is on its way to the store.
    var ended: (runID: String, outcome: RunOutcome)?
    /// When the node began to look after the job, by its clock.
    var began: Instant
    /// What the judge remembers: when a nonce that has to be waited for first came.
    var nonces: [Bytes: Instant] = [:]

    /// A connection to a keeper.
    struct Attachment {
        let runID: String
        let run: Int32
        let link: Int32
    }

    init(
        id: Int32, node: Int, job: Int, definition: JobDefinition, scenario: Scenario, legacy: LockLegacy?,
        at began: Instant
    ) {
        self.id = id
        self.began = began
        self.node = node
        self.job = job
        self.definition = definition
        let timing = LeaseTiming(
            timeout: definition.lock.timeout, killLatency: scenario.killLatency,
            requestTimeout: scenario.requestTimeout)
        policy = LockPolicy(
            timing: timing, guarding: .init(maxLockTimeout: scenario.maxLockTimeout), fences: true, heedsMarks: true)
        waiter = WaitMachine(timeout: timing.timeout, maxLockTimeout: scenario.maxLockTimeout)
        loop = JobLoop(definition: definition, timing: timing, node: "n", legacy: legacy)
    }
}

/// One competition for the lock.
final class Election {
    let number: Int
    /// Of a job with a schedule: another one for each claim.
    var runID: String
    let shell: Int32
    let node: Int
    let job: Int
    var machine: CompetitionMachine
    /// Of a job with a schedule: what it competes for, and what it is told next.
    var ticks: TickMachine?
    var afterwards: TickMachine.Event?
    /// What the loop before left is taken over first.
    var handover: HandoverMachine?
    var withdrawal: WithdrawalMachine?
    var isCancelled = false
    /// A wait ends early when it is worth asking; a pause does not.
    var rest = Rest.none
    var alarm = Alarm()
    /// What the judge remembers: until when the lock was left.
    var leftUntil: Instant?

    enum Rest { case none, wait, pause, tick }

    init(_ number: Int, _ runID: String, _ shell: Shell, _ machine: CompetitionMachine) {
        self.number = number
        self.runID = runID
        self.shell = shell.id
        node = shell.node
        job = shell.job
        self.machine = machine
    }
}

/// A lock that nobody follows is given back.
final class Restitution {
    let node: Int
    let job: Int
    /// Its loop is done, and until this is as well, no other follows.
    let isLast: Bool
    var machine: HandoverMachine

    init(node: Int, job: Int, _ legacy: LockLegacy, isLast: Bool) {
        self.node = node
        self.job = job
        self.isLast = isLast
        machine = HandoverMachine(legacy, successor: nil)
    }
}

/// One timer that can be set anew at any time: a later instant needs no new sleeper.
struct Alarm {
    var due: Instant?
    /// True time of the sleeper that comes first.
    var armed: Int64 = .max
}
