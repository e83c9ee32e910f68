// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import Synchronization

/// The shell around one ``JobLoop``: one mailbox, one loop, one writer.
///
/// Performing an effect returns at once; what comes of it arrives in the mailbox as a message.
final class JobRunner: Sendable {
    /// What the loop is woken by.
    enum Message: Sendable {
        case event(JobMachine.Event)
        /// The sleeper of a timer came.
        case alarm(Instant)
        /// Something that is the loop's alone.
        case loop(JobLoop.Message)
        /// A keeper is up and connected, or why it is not.
        case launched(runID: String, Result<KeeperLink, any Error>)
        /// A keeper's word; nil: the connection is gone.
        case keeper(runID: String, KeeperReport?)
        /// The last output of the run on this node is wanted; the stream ends without an element when there is none.
        case tailWanted(AsyncStream<Bytes>.Continuation)
        /// The job's new definition, which leaves the run alone: it counts when this loop is done.
        case superseded(JobDefinition)
        /// What came of the run's output after so many bytes of it is wanted.
        case outputWanted(OutputDesk.Request)
        /// So many more, or fewer, follow the output.
        case followers(Int)
        /// The watchdog asks whether this loop turns.
        case pulse
        /// The competition of this number found nothing to do.
        case dormant(Int, Dormancy)
    }

    /// Nothing is to be done before a moment of the store's clock, unless something is announced.
    struct Dormancy: Sendable {
        /// In microseconds; `Int64.max`: for ever.
        let until: Int64
        /// How often something had been announced when that was found out.
        let rings: Int
        /// What competitions have learned of the lock; nil: nothing that would have to be learned again.
        var waiter: Waiter?
    }

    /// How a loop ends.
    enum Ending: Sendable {
        /// It was told to be done. The lock, unless it is released.
        case done(LockLegacy?)
        case dormant(Dormancy)
    }

    /// Whoever wakes a scheduled job, and has it looked after while it has no loop.
    struct Waker: Sendable {
        /// When this node began to look after the job.
        let upSince: Instant
        /// The job was dormant before: that it stands by is no news.
        let isKnown: Bool
        /// What the loops before have learned of the lock.
        let waiter: Waiter?
        /// How often something was announced of the job so far.
        let rings: @Sendable () -> Int
        /// Call it when the loop knows whether there is anything to do, or will not know soon.
        let looked: @Sendable () -> Void
    }

    let definition: JobDefinition
    let context: NodeContext
    /// A run that an earlier daemon left behind.
    let inherited: RunLeftBehind?
    /// The lock, if the loop before this one left it.
    let legacy: LockLegacy?
    /// Nil: the job has no schedule.
    let waker: Waker?
    /// How many follow its output.
    private let followers = Atomic<Int>(0)
    private let mailbox: AsyncStream<Message>
    private let post: AsyncStream<Message>.Continuation

    init(
        definition: JobDefinition, context: NodeContext, inherited: RunLeftBehind? = nil, legacy: LockLegacy? = nil,
        waker: Waker? = nil
    ) {
        self.legacy = legacy
        self.waker = waker
        self.definition = definition
        self.context = context
        self.inherited = inherited
        (mailbox, post) = AsyncStream.makeStream()
    }

    func send(_ event: JobMachine.Event) { post.yield(.event(event)) }
    func send(_ message: JobLoop.Message) { post.yield(.loop(message)) }
    func send(_ message: Message) { post.yield(message) }

    /// So many more, or fewer, follow the output. A job whose output is followed does not become dormant.
    func addFollowers(_ change: Int) {
        followers.add(change, ordering: .relaxed)
        send(.followers(change))
    }

    var isFollowed: Bool { followers.load(ordering: .relaxed) > 0 }

    /// Of a job that may become dormant: how often something was announced of it so far.
    var rings: Int? { isFollowed ? nil : waker?.rings() }

    /// The last output of the run on this node; nil: nothing runs here, or its keeper does not answer.
    func tail() async -> Bytes? {
        let (answer, inlet) = AsyncStream<Bytes>.makeStream()
        send(.tailWanted(inlet))
        return await answer.first(within: .seconds(2)) { $0 }
    }

    /// The job's lock, by the definition of this loop.
    var lock: LockClient {
        context.lock(of: definition.name, timing: context.timing(of: definition.lock.timeout))
    }

    /// What the watchdog calls this loop.
    var loopName: String { "job \(definition.name)" }

    /// Runs the job until it is drained, makes room for another definition, or has nothing to do.
    ///
    /// - Returns: when every run of it on this node has ended.
    func run() async -> Ending {
        var ending = Ending.done(nil)
        context.pulse.watch(loopName) { self.send(.pulse) }
        context.room.watch(definition.name) { self.send(JobLoop.Message.roomChanged) }
        let clock = context.store.clock
        let watcher = clock?.watch { self.send(.lease(.heard($0.reading))) }
        defer {
            if let watcher { clock?.forget(watcher) }
            context.pulse.forget(loopName)
            context.room.forget(definition.name)
        }
        await withDiscardingTaskGroup { group in
            var shell = JobShell(runner: self)
            let competition = shell.competition
            group.addTask { await self.listen(competition) }
            shell.begin(&group)
            for await message in mailbox {
                #if DEBUG
                await Wedge.holdUp(definition.name)
                #endif
                shell.handle(message, &group)
                if shell.loop.isDone || shell.loop.isDormant { break }
            }
            ending = shell.ending
            // What is still being cleared away is waited for, and nobody reads the mailbox.
            context.pulse.forget(loopName)
            group.cancelAll()
        }
        await refuseTheRest()
        return ending
    }

    /// Who still waits for an answer is told that there is none.
    private func refuseTheRest() async {
        post.finish()
        for await message in mailbox {
            switch message {
            case .tailWanted(let inlet): inlet.finish()
            case .outputWanted(let request): request.answer.finish()
            case .event, .alarm, .loop, .launched, .keeper, .superseded, .followers, .pulse, .dormant: break
            }
        }
    }

    /// Passes the store's announcements on. Beside the loop, not around it: a run that was taken over is renewed at once,
    /// also while the store can't be subscribed to.
    private func listen(_ competition: Doorbell) async {
        let keys = LockKeys(prefix: context.storeSettings.prefix, job: definition.name)
        // It throws only what the body throws, which is nothing.
        try? await context.store.withAnnouncements(of: keys) { bell in
            var isFirst = true
            repeat {
                // Not when it begins: many jobs begin at once. Of one that has a schedule its waker sees to it.
                if !isFirst, self.waker == nil { self.context.marks.announced(self.definition.name) }
                isFirst = false
                // At once as well: what was announced before we listened is seen by looking.
                competition.ring()
                self.send(JobLoop.Message.rang)
                await bell.wait(until: .distantFuture)
            } while !Task.isCancelled
        }
    }
}
