// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import NIOPosix

/// The runs of this node: their folders, and the launchers that bring up their keepers.
///
/// New runs are started by one launcher; runs of an earlier daemon may be another's, and their folder says whose.
struct Runs: Sendable {
    /// How late a KILL may land here.
    let killLatency: Duration
    /// What an operator should know of this machine.
    let warnings: [String]
    let runtime: String
    let means: LaunchMeans
    /// So many keepers come up at a time.
    let gate = LaunchGate(width: 8)
    private let direct: DirectLauncher
    private let systemd: SystemdLauncher
    private let chosen: any Launcher

    /// Files of the daemon's own in a run's folder, and beside it.
    enum File {
        static let lease = "lease"
        static let lastTail = "last-output"
    }

    init(runtime: String, launcher: LauncherKind) throws(StartError) {
        self.runtime = runtime
        means = try LaunchMeans()
        direct = DirectLauncher(means)
        systemd = SystemdLauncher(means)
        killLatency = means.killLatency
        switch launcher {
        case .direct:
            chosen = direct
            warnings = direct.warnings + means.warnings
        case .systemd:
            try systemd.requireMachine()
            chosen = systemd
            warnings = means.warnings
        }
    }

    /// Starts the keeper of a run. It starts nothing before it is told to go.
    ///
    /// - Throws: what the user should read in `status`.
    func launch(
        _ definition: JobDefinition, runID: String, record: LeaseRecord, node: String
    ) async throws -> KeeperLink {
        // User databases, disks and buses may be slow: on a thread of its own.
        try await chosen.threads.runIfActive {
            let directory = RunDirectory(runtime: runtime, job: definition.name, runID: runID)
            var spec = try LaunchSpec(definition, runID: runID, record: record, node: node)
            spec.environment.append("BATON_KEEPER_SOCKET=\(directory.heldSocket)")
            spec.environment += try Self.environmentOfNotices(spec, in: directory)
            if !spec.limits.contains(where: { $0.resource == means.openFiles.resource }) {
                spec.limits.append(means.openFiles)
            }
            do {
                try directory.create()
                try chosen.prepare(&spec)
                try directory.write(spec)
                try directory.write(File.lease, record.encode())
                return try chosen.start(spec, of: definition, in: directory)
            } catch {
                if let path = spec.cgroup { Cgroup(path: path).remove() }
                directory.remove()
                throw error
            }
        }
    }

    /// What a workload finds that is to say how it is, as if systemd had started it.
    private static func environmentOfNotices(
        _ spec: LaunchSpec, in directory: RunDirectory
    ) throws(StartError) -> [String] {
        if !spec.notify { return [] }
        guard let socket = directory.notifySocket else {
            throw StartError(
                "run.notify: the path of the socket in \(directory.path) is longer than the 107 bytes that there may be; a "
                    + "shorter name of the job, or of the runtime directory, makes it fit")
        }
        let watchdog = spec.watchdog.map { ["WATCHDOG_USEC=\($0.microseconds)"] } ?? []
        return ["NOTIFY_SOCKET=\(socket)"] + watchdog
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
        let directory = RunDirectory(runtime: runtime, job: job, runID: runID)
        await repeatUntilDone { KeeperLink.killTree(spec(of: directory)) }
        // The keeper, or its guard, is about to write down what it saw; a hung one never will.
        for _ in 0..<50 where !Task.isCancelled {
            if let end = (try? directory.status()) ?? nil { return end }
            try? await Task.sleep(for: .milliseconds(10))
        }
        await repeatUntilDone {
            let found = spec(of: directory)
            return launcher(of: found).end(found)
        }
        return nil
    }

    /// Tried again when it fails: a run is over when it was seen to be, not when nobody could look.
    private func repeatUntilDone(_ step: @escaping @Sendable () -> Bool) async {
        while !Task.isCancelled {
            if (try? await NIOThreadPool.singleton.runIfActive(step)) == true { break }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// The last output of a run that is over; empty: there is none.
    func tail(job: String, runID: String) async -> Bytes {
        let directory = RunDirectory(runtime: runtime, job: job, runID: runID)
        return (try? await NIOThreadPool.singleton.runIfActive { try directory.tail() }) ?? []
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
        let directory = RunDirectory(runtime: runtime, job: job, runID: runID)
        await repeatUntilDone { KeeperLink.killTree(spec(of: directory)) }
        let found = spec(of: directory)
        let owner = launcher(of: found)
        try? await owner.threads.runIfActive {  // they run as long as the program does
            owner.withdraw(found)
            remove(directory)
        }
    }

    private func remove(_ directory: RunDirectory) {
        if let path = spec(of: directory).cgroup { Cgroup(path: path).remove() }
        directory.remove()
    }

    private func launcher(of spec: LaunchSpec) -> any Launcher {
        if spec.unit == nil { direct } else { systemd }
    }

    /// What the run was started with. Where the file is gone or can't be read, what its processes are found by is still
    /// known: the run's id, and the name of its unit or cgroup.
    private func spec(of directory: RunDirectory) -> LaunchSpec {
        if let spec = (try? directory.spec()) ?? nil { return spec }
        var spec = LaunchSpec(job: directory.job, runID: directory.runID, arguments: ["?"])
        if !systemd.find(&spec) { spec.cgroup = direct.cgroup(ofRun: spec.runID, job: spec.job)?.path }
        return spec
    }

    /// The last output of the last run here; nil: there was none.
    func lastTail(job: String) async -> Bytes? {
        let path = "\(runtime)/runs/\(job)/\(File.lastTail)"
        return try? await NIOThreadPool.singleton.runIfActive {
            try Files.read(path, limit: KeeperMessage.maximumSize)
        }
    }
}
