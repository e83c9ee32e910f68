// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonConfig
import BatonCore
import BatonLock
package import BatonSystem
import Glibc
package import Logging
import ServiceLifecycle

/// A node: everything `batond` does between reading its configuration and its exit.
///
/// It decides who runs what; it holds no workload. Should it die, the keepers end their workloads when the leases end,
/// or the next daemon on this runtime directory takes the runs over.
package struct Daemon: Sendable {
    private let files: NodeFiles
    private let node: NodeSettings
    private let jobs: [LoadedJob]
    private let level: LogLevel
    private let digests: [String: UInt64]
    private let directories: Directories
    private let events: EventLog
    private let logger: Logger
    private let instanceLock: InstanceLock
    private let succession: Succession

    /// The folders of a node.
    package struct Directories: Sendable {
        /// Sockets, the lock, the run folders: gone after a reboot.
        package var runtime: String
        /// Fences, the embedded store: kept.
        package var state: String

        package init(runtime: String, state: String) {
            self.runtime = runtime
            self.state = state
        }
    }

    /// A node that has its runtime directory to itself from now on.
    ///
    /// - Parameters:
    ///   - files: what a reload reads again.
    ///   - loaded: what was read of them, without an error in the node's own file.
    ///   - level: what the loggers go by.
    ///   - events: what the loggers fill.
    ///   - image: this program, to be begun anew by a reexec.
    ///   - lastWords: called before that, to have the log written. The leases go on meanwhile, but nobody renews them.
    /// - Throws: ``StartError`` when another live daemon has it, or a folder can't be used.
    package init(
        files: NodeFiles, loaded: LoadedFiles, directories: Directories, logger: Logger, level: LogLevel,
        events: EventLog, image: ProgramImage, lastWords: @escaping @Sendable () -> Void
    ) throws(StartError) {
        self.files = files
        node = loaded.node.settings
        jobs = loaded.jobs.jobs
        digests = loaded.jobs.digests
        self.level = level
        self.events = events
        self.directories = directories
        self.logger = logger
        succession = Succession(image, lastWords: lastWords)
        try StartError.wrapping("the runtime directory") { try Files.makeFolder(directories.runtime, mode: 0o755) }
        try StartError.wrapping("the runtime directory") {
            try Files.makeFolder("\(directories.runtime)/runs", mode: 0o711)
        }
        try StartError.wrapping("the state directory") { try Files.makeFolder(directories.state, mode: 0o700) }
        for folder in ["fences", "ticks", "outcomes", "marks"] {
            try StartError.wrapping("the state directory") {
                try Files.makeFolder("\(directories.state)/\(folder)", mode: 0o700)
            }
        }
        instanceLock = try StartError.wrapping("the runtime directory \(directories.runtime)") {
            try InstanceLock(path: "\(directories.runtime)/lock")
        }
    }

    /// Runs until SIGTERM or SIGINT, then stops every workload, releases every lock, and returns. When the program on the
    /// disk is to take this one's place, it does not return: every workload stays as it is.
    ///
    /// - Throws: ``StartError`` when something that a node can't be without fails: the keeper, the store's file, the
    ///   control socket. An unreachable store is not an error: the node waits for it.
    package func run() async throws {
        let signals = try KeptSignals()
        let notify = Notify()
        warnOfTheWatchdog()
        let pulse = WatchdogPulse(
            notify: notify, interval: Notify.watchdogInterval(),
            otherwise: node.metrics.listen == nil ? nil : .seconds(300), logger: logger)
        let store = try Store(node.store, shortestLease: shortestLease, logger: logger)
        let metrics = NodeMetrics()
        let room = RunRoom(limit: node.maxRuns)
        let context = NodeContext(
            name: node.name, tags: node.tags, room: room, instance: RunID.fresh(),
            store: store.locks.measured(by: metrics, as: node), storeSettings: node.store,
            runs: try Runs(runtime: directories.runtime, launcher: node.launcher),
            fences: FloorMemory(folder: "\(directories.state)/fences", logger: logger),
            ticks: FloorMemory(folder: "\(directories.state)/ticks", logger: logger),
            outcomes: Outcomes(folder: "\(directories.state)/outcomes", logger: logger),
            marks: MarkMemory(folder: "\(directories.state)/marks", logger: logger), recollection: Recollection(),
            board: StatusBoard(room: room), pulse: pulse, metrics: metrics, logger: logger)
        let board = JobBoard(
            jobs: jobs, inherited: await context.runs.inherited(logger), context: context)
        let notifier = try Notifier(events, context.runs.means, logger: logger) { board.definition(of: $0) }
        let registration = Registration(
            context, registry: store.registry, digests: digests,
            predecessor: Registration.succeed(in: directories.runtime, as: context.instance, logger: logger))
        let reloader = Reloader(
            files: files, settings: node, board: board, store: store, registration: registration, notify: notify,
            level: level, logger: logger)
        let access = ControlAccess(operators: node.operators, logger: logger)
        let outlets = MetricsOutlets(
            node.metrics,
            scrape: MetricsScrape(context: context, store: store, reloader: reloader, registration: registration),
            health: NodeHealth(pulse: pulse, store: store, reloader: reloader, board: board),
            viewers: access.viewers, logger: logger)
        let backend = DaemonBackend(
            board: board, context: context, store: store,
            clockAlarm: ClockAlarm(store.locks.clock, logger: logger), registration: registration, reloader: reloader,
            succession: succession, outlets: outlets, events: events)
        let control = try ControlServer(
            path: "\(directories.runtime)/control.sock", backend: backend,
            access: access, logger: logger
        ) {
            logger.log(
                level: .notice, "ready", event: .nodeReady,
                metadata: ["node": "\(node.name)", "jobs": "\(jobs.count)"])
            notify.ready()
            reloader.nodeIsUp()
        }

        try await withThrowingTaskGroup(of: Void.self) { services in
            services.addTask { try await store.run() }
            services.addTask { try await control.serve() }
            services.addTask { try await pulse.run() }
            services.addTask { await outlets.run() }
            services.addTask { await board.wakeInTime() }
            services.addTask { await board.giveMemoryBack() }
            services.addTask { await context.outcomes.deliver(in: context) }
            services.addTask { await context.marks.keep(in: context) }
            services.addTask { await context.recollection.tell(in: context) { board.scheduledJobs } }
            services.addTask { await notifier.run() }
            services.addTask { await StatusLine(board: context.board, notify: notify, store: store).run() }
            services.addTask {
                await withTaskGroup(of: Void.self) { registering in
                    registering.addTask { await registration.run() }
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask { await self.obey(signals, board, reloader, notify) }
                        await board.run()
                        // What comes from now on waits for the program that follows, if one does.
                        signals.stop()
                    }
                    registering.cancelAll()
                }
                // The program that follows takes this one's place there as well.
                if !board.isRelieved {
                    await registration.leave()
                    await notifier.finish(within: .seconds(5))
                }
                throw Finished()
            }
            services.addTask {
                // Who stops the node first has it stopped.
                guard await succession.isDue() else { return }
                // Every lease is renewed meanwhile.
                await notifier.settle(within: .seconds(5))
                guard board.relieve() else { return }
                if reloader.isUp { notify.reloading() }
                // A lock that can't be given back now is found, or runs out, as after a crash.
                try await Task.sleep(for: .seconds(3))
                throw Finished()
            }
            do {
                while try await services.next() != nil {}
            } catch is Finished where board.isRelieved {
                logger.log(level: .notice, "making place for the program that is to follow", event: .nodeReplaced)
                await notify.flush()
                await notifier.finish(within: .zero)
                let error = succession.makePlace()
                services.cancelAll()
                throw error
            } catch is Finished {
                services.cancelAll()
            }
        }
        await notify.flush()
        logger.log(level: .notice, "stopped", event: .nodeStopped)
    }

    private var shortestLease: Duration {
        jobs.compactMap { if case .valid(let job) = $0 { job.lock.timeout } else { nil } }.min()
            ?? node.store.maxLockTimeout
    }

    /// After a hang, systemd ends this daemon and starts another, which must come before the leases end.
    private func warnOfTheWatchdog() {
        guard let interval = Notify.watchdogInterval() else { return }
        for case .valid(let job) in jobs {
            guard let doubt = job.watchdogDoubt(interval: interval) else { continue }
            logger.log(
                level: .warning, "\(doubt)", event: .watchdogTooSlow,
                metadata: [
                    "job": "\(job.name)", "watchdog": "\(interval)", "timeout": "\(job.lock.timeout)",
                    "lost_grace": "\(job.lock.lostGrace)",
                ])
        }
    }

    /// Every job has ended; the services may go.
    private struct Finished: Error {}

    private func obey(_ signals: KeptSignals, _ board: JobBoard, _ reloader: Reloader, _ notify: Notify) async {
        var isDraining = false
        await withDiscardingTaskGroup { group in
            for await signal in signals.taken {
                switch signal {
                case SIGHUP:
                    logger.notice("reload asked for", metadata: ["signal": "\(KeptSignals.name(signal))"])
                    group.addTask { _ = try? await reloader.reload() }  // it has told the log how it went
                case _ where isDraining:
                    logger.warning("second signal: workloads are killed")
                    board.abort()
                case _:
                    guard board.drain() else {
                        // Too late for this program, which has given its runs away.
                        succession.stopAfterwards()
                        continue
                    }
                    isDraining = true
                    logger.log(
                        level: .notice, "stopping: workloads are asked to end", event: .nodeStopping,
                        metadata: ["signal": "\(KeptSignals.name(signal))"])
                    notify.stopping()
                    group.addTask {
                        while !Task.isCancelled {
                            notify.extendTimeout(microseconds: 15_000_000)
                            try? await Task.sleep(for: .seconds(5))
                        }
                    }
                }
            }
            group.cancelAll()
        }
    }
}
