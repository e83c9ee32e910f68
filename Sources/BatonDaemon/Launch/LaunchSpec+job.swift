// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import BatonSystem
import BatonUsers
import Glibc

extension LaunchSpec {
    /// The run of a job: names become numbers, the environment is made whole.
    ///
    /// - Throws: `StartError` for an unknown user, or an environment file that can't be read.
    init(_ job: JobDefinition, runID: String, record: LeaseRecord, node: String) throws(StartError) {
        let fence = record.fence
        let arguments: [String] =
            switch job.command {
            case .program(let words): words
            case .shell(let line): ["/bin/sh", "-c", line]
            }
        self.init(job: job.name, runID: runID, arguments: arguments)
        self.fence = fence
        self.node = node
        let user = try LaunchSpec.user(job.user)
        if job.user != nil || job.group != nil {
            let gid = try StartError.wrapping("group \(job.group ?? "")") {
                try job.group.map { try UserDatabase.group($0) } ?? user.gid
            }
            identity = .init(uid: user.uid, gid: gid, groups: UserDatabase.groups(of: user.name, primary: gid))
        }
        environment =
            try LaunchSpec.environment(of: job, user: user) + [
                "BATON_JOB=\(job.name)", "BATON_NODE=\(node)", "BATON_RUN_ID=\(runID)", "BATON_FENCE=\(fence)",
            ]
        if let turn = record.turn {
            environment += ["BATON_TICK=\(RFC3339.text(of: turn.tick))", "BATON_ATTEMPT=\(turn.attempt)"]
        }
        workingDirectory = job.workingDirectory
        umask = job.umask
        nice = job.nice
        limits = ResourceLimits.Rlimit.allCases.compactMap { resource in
            // The hard limit of open files stays: a program may raise its own soft one.
            job.limits.rlimits[resource].map { .init(resource, soft: $0, hard: resource == .nofile ? nil : $0) }
        }
        capabilities = job.sandbox.capabilities
        stopSignal = job.stop.signal
        stopTimeout = job.stop.timeout
        lostGrace = job.lock.lostGrace
        (notify, watchdog) = (job.run.notify, job.run.watchdog)
        output =
            switch job.output {
            case .journal: .journal
            case .file(let path): .file(path)
            case .none: .none
            }
    }

    /// The job's user; by default our own, which need not have a name.
    private static func user(_ name: String?) throws(StartError) -> UserRecord {
        guard let name else {
            return (try? UserDatabase.user("\(geteuid())"))
                ?? UserRecord(name: "\(geteuid())", uid: geteuid(), gid: getegid(), home: "/", shell: "/bin/sh")
        }
        return try StartError.wrapping("user \(name)") { try UserDatabase.user(name) }
    }

    /// systemd's PATH, the user's own variables, then the environment file, then `environment`.
    private static func environment(
        of job: JobDefinition, user: UserRecord
    ) throws(StartError) -> [String] {
        var variables = [
            "PATH": WorkloadPath.standard, "HOME": user.home, "USER": user.name, "LOGNAME": user.name,
            "SHELL": user.shell,
        ]
        if let language = getenv("LANG") { variables["LANG"] = String(cString: language) }
        if let file = job.environmentFile {
            let read = try StartError.wrapping("environment_file") { try EnvironmentFile.read(file) }
            variables.merge(read) { $1 }
        }
        variables.merge(job.environment) { $1 }
        return variables.filter { !$0.key.hasPrefix("BATON_") }.map { "\($0.key)=\($0.value)" }.sorted()
    }
}
