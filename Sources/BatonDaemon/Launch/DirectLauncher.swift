// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CLinux
import Glibc
import Logging
import NIOPosix

/// Starts keepers as children of this daemon, each run in a cgroup of its own where the machine allows it.
struct DirectLauncher: Sendable {
    /// How late a KILL may land here.
    let killLatency: Duration
    /// What an operator should know of this machine.
    let warnings: [String]
    private let runtime: String
    private let keeper: String
    private let reactor: Reactor
    private let cgroup: Cgroup?
    private let openFiles: LaunchSpec.OpenFiles
    private let logger: Logger

    /// Files of the daemon's own in a run's folder, and beside it.
    private enum File {
        static let lease = "lease"
        static let lastTail = "last-output"
    }

    init(runtime: String, logger: Logger) throws(StartError) {
        self.runtime = runtime
        self.logger = logger
        keeper = try DirectLauncher.findKeeper()
        reactor = try StartError.wrapping("the reactor") { try Reactor() }
        openFiles = DirectLauncher.raiseOpenFiles()
        var warnings: [String] = []
        var own = Cgroup.own()
        if let candidate = own {
            do {
                try candidate.makeChild(job: "probe", runID: "\(getpid())").remove()
            } catch {
                own = nil
            }
        }
        cgroup = own
        if own == nil {
            warnings.append(
                "no cgroup of its own: processes that leave their session are found by their environment, as best effort"
            )
        }
        let isRealtime = DirectLauncher.mayBeRealtime()
        killLatency = isRealtime ? .milliseconds(50) : .milliseconds(250)
        if !isRealtime {
            warnings.append(
                "keepers get no real-time priority: leases are 200 ms shorter, for a kill on a busy machine")
        }
        self.warnings = warnings
    }

    /// Beside this program, as in a build folder, or where the package installs it.
    private static func findKeeper() throws(StartError) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        let own = String(decoding: buffer.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let folder = own.lastIndex(of: "/").map { String(own[..<$0]) } ?? ""
        let places = [
            "\(folder)/baton-keeper", "\(folder)/../libexec/baton/baton-keeper", "/usr/libexec/baton/baton-keeper",
        ]
        for place in places where access(place, X_OK) == 0 { return place }
        throw StartError("baton-keeper is not there; looked for it in \(places.joined(separator: ", "))")
    }

    /// As many open files as the hard limit allows for this daemon; workloads get the old limit.
    private static func raiseOpenFiles() -> LaunchSpec.OpenFiles {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        let before = LaunchSpec.OpenFiles(soft: UInt64(limit.rlim_cur), hard: UInt64(limit.rlim_max))
        limit.rlim_cur = min(limit.rlim_max, 65_536)
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return before
    }

    /// Whether a process of ours may have real-time priority: tried on a thread that ends at once.
    private static func mayBeRealtime() -> Bool {
        var thread = pthread_t()
        let created = pthread_create(
            &thread, nil, { _ in UnsafeMutableRawPointer(bitPattern: clinux_become_realtime() == 0 ? 1 : 2) }, nil)
        guard created == 0 else { return false }
        var answer: UnsafeMutableRawPointer?
        pthread_join(thread, &answer)
        return Int(bitPattern: answer) == 1
    }

    // MARK: A run's life

    /// Starts the keeper of a run. It starts nothing before it is told to go.
    ///
    /// - Throws: what the user should read in `status`.
    func launch(
        _ definition: JobDefinition, runID: String, record: LeaseRecord, node: String
    ) async throws -> KeeperLink {
        // User databases and disks may be slow: on a thread of its own.
        try await NIOThreadPool.singleton.runIfActive {
            let directory = RunDirectory(runtime: runtime, job: definition.name, runID: runID)
            var spec = try LaunchSpec(definition, runID: runID, fence: record.fence, node: node)
            spec.environment.append("BATON_KEEPER_SOCKET=\(directory.heldSocket)")
            spec.openFiles =
                definition.limits.nofile.map { .init(soft: $0, hard: max($0, openFiles.hard ?? $0)) } ?? openFiles
            do {
                try directory.create()
                spec.cgroup = try cgroup?.makeChild(job: definition.name, runID: runID).path
                try directory.write(spec)
                try directory.write(File.lease, record.encode())
                return try KeeperLink.launch(in: directory, keeper: keeper, reactor: reactor)
            } catch {
                if let path = spec.cgroup { Cgroup(path: path).remove() }
                directory.remove()
                throw error
            }
        }
    }

    /// Writes down which token holds the lock, for the daemon after this one.
    func remember(_ record: LeaseRecord, job: String, runID: String) async throws {
        try await NIOThreadPool.singleton.runIfActive {
            try RunDirectory(runtime: runtime, job: job, runID: runID).write(File.lease, record.encode())
        }
    }

    /// Kills what is left of a run until nothing is; that may take as long as the kernel takes.
    ///
    /// - Returns: how the run ended; nil: neither its keeper nor the guard wrote it down.
    func clear(job: String, runID: String) async -> RunEnd? {
        await kill(job: job, runID: runID)
        let directory = RunDirectory(runtime: runtime, job: job, runID: runID)
        // The keeper, or its guard, is about to write down what it saw; a hung one never will.
        for _ in 0..<50 where !Task.isCancelled {
            if let end = (try? directory.status()) ?? nil { return end }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return nil
    }

    private func kill(job: String, runID: String) async {
        let directory = RunDirectory(runtime: runtime, job: job, runID: runID)
        while !Task.isCancelled {
            // Tried again when it fails: a run is over when it was seen to be, not when nobody could look.
            let isGone = try? await NIOThreadPool.singleton.runIfActive { KeeperLink.killTree(spec(of: directory)) }
            if isGone == true { break }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Keeps the last output of a run that is over, and removes its folder.
    func archive(job: String, runID: String) async {
        try? await NIOThreadPool.singleton.runIfActive {
            let directory = RunDirectory(runtime: runtime, job: job, runID: runID)
            if let tail = try? directory.tail() {
                try? Files.write("\(runtime)/runs/\(job)/\(File.lastTail)", tail)  // of use, not of need
            }
            remove(directory)
        }
    }

    /// Removes a run that never ran, or that a later one has followed: what its output was is of no interest.
    func discard(job: String, runID: String) async {
        await kill(job: job, runID: runID)
        try? await NIOThreadPool.singleton.runIfActive {  // it runs as long as the program does
            remove(RunDirectory(runtime: runtime, job: job, runID: runID))
        }
    }

    private func remove(_ directory: RunDirectory) {
        if let path = spec(of: directory).cgroup { Cgroup(path: path).remove() }
        directory.remove()
    }

    /// What the run was started with. Where the file is gone or can't be read, what its processes are found by is still
    /// known: the run's id, and the name of its cgroup.
    private func spec(of directory: RunDirectory) -> LaunchSpec {
        if let spec = (try? directory.spec()) ?? nil { return spec }
        var spec = LaunchSpec(job: directory.job, runID: directory.runID, arguments: ["?"])
        spec.cgroup = cgroup?.child(job: directory.job, runID: directory.runID).path
        return spec
    }

    /// The last output of the last run here; nil: there was none.
    func lastTail(job: String) async -> Bytes? {
        let path = "\(runtime)/runs/\(job)/\(File.lastTail)"
        return try? await NIOThreadPool.singleton.runIfActive {
            try Files.read(path, limit: KeeperMessage.maximumSize)
        }
    }

    // MARK: Runs of an earlier daemon

    /// What an earlier daemon left in the runtime directory, by job: runs to take over, and runs that ended meanwhile.
    func inheritedRuns() async -> [String: InheritedRun] {
        await withTaskGroup(of: InheritedRun?.self) { group in
            for directory in RunDirectory.list(runtime: runtime) {
                group.addTask { await inherit(directory) }
            }
            var runs: [String: InheritedRun] = [:]
            for await found in group {
                guard let found else { continue }
                guard let other = runs[found.job] else {
                    runs[found.job] = found
                    continue
                }
                // Two folders of one job: the keeper's flock lets only one be alive, and the later grant has the lock.
                // The other run was over, and its daemon died before it could remove the folder.
                func rank(_ run: InheritedRun) -> (Int, Int64) { (run.run.link == nil ? 0 : 1, run.run.record.fence) }
                let (kept, over) = rank(found) > rank(other) ? (found, other) : (other, found)
                runs[found.job] = kept
                if over.run.link == nil {
                    group.addTask {
                        await discard(job: over.job, runID: over.run.runID)
                        return nil
                    }
                }
            }
            return runs
        }
    }

    private func inherit(_ directory: RunDirectory) async -> InheritedRun? {
        let bytes = (try? directory.read(File.lease)) ?? nil
        guard let record = bytes.flatMap({ LeaseRecord(decoding: $0) }) else {
            // Without a record nobody can have said `go`: its keeper, if there is one, exits by itself.
            directory.remove()
            return nil
        }
        var run = ActiveRun(runID: directory.runID, record: record)
        run.isInherited = true
        if let end = (try? directory.status()) ?? nil {
            return InheritedRun(job: directory.job, run: run, event: ended(run, RunOutcome(end)))
        }
        if let link = try? KeeperLink.connect(to: directory, reactor: reactor), let hello = await greeting(of: link) {
            switch hello.phase {
            case .waiting:
                link.close()
                return InheritedRun(job: directory.job, run: run, event: ended(run, .stopped))
            case .starting, .running, .stopping, .leaseEnding, .clearing, .ended:
                run.link = link
                let deadline = hello.deadline ?? Instant(nanoseconds: 0)
                return InheritedRun(
                    job: directory.job, run: run,
                    event: .tookOver(runID: run.runID, fence: record.fence, deadline: deadline, pid: hello.workload))
            }
        }
        // No keeper and no status: its lease is over for us, and what is left of it is killed first of all.
        let past = Instant(nanoseconds: 0)
        return InheritedRun(
            job: directory.job, run: run,
            event: .tookOver(runID: run.runID, fence: record.fence, deadline: past, pid: nil))
    }

    private func ended(_ run: ActiveRun, _ outcome: RunOutcome) -> JobMachine.Event {
        .foundEnded(runID: run.runID, fence: run.record.fence, outcome, jitter: .random(in: 0..<1))
    }

    /// A keeper's first word; nil: it does not say any within two seconds.
    private func greeting(of link: KeeperLink) async -> KeeperReport.Hello? {
        await withTaskGroup(of: KeeperReport.Hello?.self) { group in
            group.addTask {
                for await event in link.events {
                    if case .report(.hello(let hello)) = event { return hello }
                }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(2))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
