// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Logging
import NIOPosix
import Synchronization

/// Runs the commands of `[notify]`, a few at once, on threads of its own. No job, lease or lock ever waits for it.
final class Notifier: Sendable {
    /// An event, and the job as its file was then.
    struct Notice: Sendable {
        let event: NodeEvent
        let job: JobDefinition
        let command: JobDefinition.Command
    }

    private let events: EventLog
    private let follower: EventFollower
    private let definition: @Sendable (String) -> JobDefinition?
    private let means: LaunchMeans
    private let logger: Logger
    private let queue = Mutex(NoticeQueue<Notice>())
    /// The last event that was dealt with.
    private let seen = Atomic<UInt64>(0)
    private let stop: StopSwitch

    /// A command may take so long.
    private static let limit = Duration.seconds(30)
    /// So much of what it prints is logged.
    private static let mostLines = 20

    /// User databases and disks may be slow, and so are the commands: they take no other thread's place. Never ended: a
    /// program dies with the thread that started it.
    private static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: NoticeQueue<Notice>.mostRunning)
        pool.start()
        return pool
    }()

    /// From now on each event counts; ``run()`` deals with them.
    ///
    /// - Parameter definition: a job by its file as that is now.
    init(
        _ events: EventLog, _ means: LaunchMeans, logger: Logger,
        definition: @escaping @Sendable (String) -> JobDefinition?
    ) throws(StartError) {
        self.events = events
        self.means = means
        self.logger = logger
        self.definition = definition
        stop = try StartError.wrapping("the notifier") { try StopSwitch() }
        follower = events.follow()
        seen.store(events.lastID, ordering: .relaxed)
    }

    /// Until it is cancelled; what runs then is killed.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                let news = await follower.next(until: .distantFuture)
                if news.dropped > 0 { tellDropped(news.dropped, why: "they came faster than they were read") }
                for event in news.events {
                    take(event, &group)
                    seen.store(event.id, ordering: .releasing)
                }
            }
            events.end(follower)
            abort()
        }
    }

    /// Gives what is to be told some time, then kills what is not done.
    func finish(within limit: Duration) async {
        await settle(within: limit)
        abort()
        // A kill takes no time, unless the kernel has none.
        await settle(within: .seconds(1))
    }

    /// Waits until there is nothing to tell, or the time is up.
    func settle(within limit: Duration) async {
        let deadline = BootClock.now() + limit
        while BootClock.now() < deadline, !isIdle { try? await Task.sleep(for: .milliseconds(10)) }
    }

    private var isIdle: Bool {
        seen.load(ordering: .acquiring) >= events.lastID && queue.withLock { $0.isIdle }
    }

    private func abort() {
        let left = queue.withLock { $0.clear() }
        stop.turnOn()
        if left > 0 { tellDropped(left, why: "batond stops") }
    }

    private func take(_ event: NodeEvent, _ group: inout DiscardingTaskGroup) {
        guard let reason = event.kind.flatMap({ NotifySettings.Reason($0) }), let job = event.job.flatMap(definition),
            let settings = job.notify, settings.reasons.contains(reason)
        else { return }
        let notice = Notice(event: event, job: job, command: settings.command)
        guard queue.withLock({ $0.add(notice) }) == .begin else { return }
        group.addTask {
            var next: Notice? = notice
            while let notice = next {
                // It is cancelled only before it has begun.
                try? await Self.pool.runIfActive { self.perform(notice) }
                let dropped: Int
                (next, dropped) = self.queue.withLock { ($0.ended(), $0.takeDropped()) }
                if dropped > 0 {
                    self.tellDropped(dropped, why: "\(NoticeQueue<Notice>.mostWaiting) are waiting already")
                }
            }
        }
    }

    private func tellDropped(_ count: Int, why: String) {
        logger.log(
            level: .warning, "notify commands not run", event: .notifyFailed,
            metadata: ["count": "\(count)", "reason": "\(why)"])
    }

    // MARK: On a thread of the pool

    private func perform(_ notice: Notice) {
        let reason: String?
        do {
            let spec = try LaunchSpec(
                notice: notice.event, of: notice.job, by: notice.command, openFiles: means.openFiles)
            var output = NoticeOutput(limit: Self.mostLines) { [logger] line in
                logger.info("notify command", metadata: ["job": "\(notice.job.name)", "line": "\(line)"])
            }
            let end = try BriefProgram.run(
                spec, input: Self.input(notice.event), within: Self.limit, abort: stop.descriptor,
                reactor: means.reactor
            ) { output.take($0) }
            output.finish()
            reason = Self.reason(end)
        } catch {
            reason = "\(error)"
        }
        guard let reason else { return }
        var metadata: Logger.Metadata = [
            "job": "\(notice.job.name)", "about": "\(notice.event.event)", "reason": "\(reason)",
        ]
        if let run = notice.event.fields["run_id"] { metadata["run"] = "\(run)" }
        logger.log(level: .warning, "notify command failed", event: .notifyFailed, metadata: metadata)
    }

    /// One line.
    private static func input(_ event: NodeEvent) throws -> Bytes {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Bytes(try encoder.encode(event)) + Bytes("\n".utf8)
    }

    /// Nil: it did what it is for.
    private static func reason(_ end: BriefProgram.End) -> String? {
        switch end {
        case .ended(.code(0)): nil
        case .ended(.code(let code)): "exit code \(code)"
        case .ended(.signal(let signal)): "ended by signal \(signal)"
        case .notStarted(let step, let errno):
            "could not be started: \(SystemError(errno: errno, operation: "\(step)"))"
        case .tookTooLong: "it took longer than \(limit.components.seconds) s, and was killed"
        case .aborted: "batond stops, and killed it"
        }
    }
}
