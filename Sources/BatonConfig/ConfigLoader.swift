// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Glibc

/// What the command line says instead of the file.
package struct NodeOverrides: Equatable, Sendable {
    /// `--node`.
    package var name: String?
    /// `--log-level`.
    package var logLevel: String?
    /// `--state-dir`: where the default store's file is.
    package var stateDirectory: String

    /// Nothing but defaults.
    package init(name: String? = nil, logLevel: String? = nil, stateDirectory: String = "/var/lib/baton") {
        self.name = name
        self.logLevel = logLevel
        self.stateDirectory = stateDirectory
    }

    /// What can't be, as the file's values are judged.
    package var problems: [String] {
        let level = logLevel.flatMap { NodeDecoder.problem(ofLogLevel: $0) }
        return [name.flatMap { Names.problem(ofNode: $0) }, level].compactMap { $0 }
    }
}

/// What came of reading `batond.toml`.
package struct LoadedNode: Sendable {
    /// The settings; use them only when there are no errors.
    package var settings: NodeSettings
    /// All errors. Any of them: the file must not be used.
    package var errors: [ConfigProblem]
    package var warnings: [ConfigProblem]
    /// `[defaults]`, the lowest layer of every job.
    let defaults: ConfigNode?
}

/// One job of the folders, by the name of its file.
package enum LoadedJob: Equatable, Sendable {
    case valid(JobDefinition)
    /// Shown with its reasons; the other jobs run.
    case invalid(name: String, problems: [ConfigProblem])

    /// The job's name: the file's stem.
    package var name: String {
        switch self {
        case .valid(let job): return job.name
        case .invalid(let name, _): return name
        }
    }
}

/// A file in a folder of jobs that is not a job.
package struct IgnoredFile: Equatable, Sendable {
    package var path: String
    /// Why it is not read.
    package var reason: String
}

/// What came of reading the folders of job files.
package struct LoadedJobs: Equatable, Sendable {
    /// In the order of their names.
    package var jobs: [LoadedJob]
    package var ignored: [IgnoredFile]
    package var warnings: [ConfigProblem]
    /// Which file each job comes from.
    package var paths: [String: String]
    /// What each job's file says with the node's defaults, as a number that nodes compare.
    package var digests: [String: UInt64] = [:]
    /// The folders that are there and can't be read: what jobs are in them is not known.
    package var unreadable: [ConfigProblem]

    /// No folder at all.
    package init() {
        jobs = []
        ignored = []
        warnings = []
        paths = [:]
        unreadable = []
    }

    /// The errors of all invalid jobs.
    package var errors: [ConfigProblem] {
        jobs.flatMap { job -> [ConfigProblem] in
            if case .invalid(_, let problems) = job { return problems }
            return []
        }
    }
}

/// Reads `batond.toml` and the job files into checked values, with every problem of every file.
///
/// A file, or a folder above it, that somebody other than root and the daemon's user can write is not read: a job runs
/// as root. Nothing is started, connected to or written.
package struct ConfigLoader: Sendable {
    /// The daemon's user.
    let user: uid_t
    /// Where its secrets may be.
    let credentials: Credentials

    /// A loader for a daemon that runs as this process's user, or another one.
    package init(user: UInt32? = nil, credentials: Credentials = .own) {
        self.user = user ?? geteuid()
        self.credentials = credentials
    }

    /// Reads the node's file.
    ///
    /// - Parameter mayBeMissing: a missing file is as good as an empty one: for the default path.
    package func loadNode(
        path: String, overrides: NodeOverrides = NodeOverrides(), mayBeMissing: Bool = false
    ) -> LoadedNode {
        let log = ProblemLog()
        let path = absolute(path)
        var root = ConfigNode(value: .table([:]), source: ConfigSource(path: path, text: ""), path: [])
        var mode: mode_t = 0o600
        if !(mayBeMissing && isMissing(path)) {
            do {
                let reader = TrustedFile(user: user)
                try reader.checkFolders(above: path)
                let contents = try reader.read(resolved(path))
                mode = contents.mode
                root = try TOMLText.parse(contents.bytes, path: path)
            } catch {
                log.add(error)
            }
        }
        let decoder = NodeDecoder(
            path: path, mode: mode, user: user, overrides: overrides, credentials: credentials, log: log)
        let (settings, defaults) = decoder.decode(root)
        if let defaults {
            let checker = JobDecoder(
                name: "defaults", store: settings.store, launcher: settings.launcher, user: user, log: log)
            _ = checker.decode(defaults, needsCommand: false)
        }
        log.sort()
        return LoadedNode(settings: settings, errors: log.errors, warnings: log.warnings, defaults: defaults)
    }

    /// Reads the folders of job files that the node names. The later folder wins for a file of the same name.
    package func loadJobs(_ node: LoadedNode) -> LoadedJobs {
        var result = LoadedJobs()
        var folders: [String: JobFolder.Entry] = [:]
        for directory in node.settings.jobDirectories {
            let folder = JobFolder(path: directory)
            do {
                for entry in try folder.entries() {
                    if case .ignored(let reason) = entry.kind {
                        result.ignored.append(IgnoredFile(path: entry.path, reason: reason))
                        continue
                    }
                    if let hidden = folders.updateValue(entry, forKey: entry.job) {
                        result.ignored.append(IgnoredFile(path: hidden.path, reason: "hidden by \(entry.path)"))
                    }
                }
            } catch {
                result.unreadable.append(error)
            }
        }
        for (name, entry) in folders.sorted(by: { $0.key < $1.key }) {
            if case .mask = entry.kind {
                result.ignored.append(IgnoredFile(path: entry.path, reason: "a link to /dev/null: masks \(name)"))
                continue
            }
            result.paths[name] = entry.path
            let (job, warnings, digest) = loadJob(name, entry.path, node)
            result.jobs.append(job)
            result.digests[name] = digest
            result.warnings += warnings
        }
        return result
    }

    /// Reads one job file.
    package func loadJob(
        _ name: String, _ path: String, _ node: LoadedNode
    ) -> (job: LoadedJob, warnings: [ConfigProblem], digest: UInt64) {
        let log = ProblemLog()
        if let reason = Names.problem(ofJob: name) { log.add(ConfigProblem(file: path, message: reason)) }
        var definition: JobDefinition?
        var digest = ConfigDigest([])
        do {
            let contents = try TrustedFile(user: user).read(absolute(path))
            digest = ConfigDigest(contents.bytes)  // if that is all there is
            let own = try TOMLText.parse(contents.bytes, path: path)
            let whole = node.defaults?.below(own) ?? own
            digest = ConfigDigest(whole)
            let decoder = JobDecoder(
                name: name, store: node.settings.store, launcher: node.settings.launcher, user: user, log: log)
            definition = decoder.decode(whole)
            if let definition { warnOfProgram(definition, own, log) }
        } catch {
            log.add(error)
        }
        log.sort()
        guard let definition, !log.hasErrors else {
            return (.invalid(name: name, problems: log.errors), log.warnings, digest.value)
        }
        return (.valid(definition), log.warnings, digest.value)
    }

    private func warnOfProgram(_ job: JobDefinition, _ own: ConfigNode, _ log: ProblemLog) {
        let file = job.environmentFile.flatMap { try? EnvironmentFile.read($0) }  // its errors are in the log already
        let path = job.environment["PATH"] ?? file?["PATH"] ?? ProgramLookup.defaultPath
        if let doubt = ProgramLookup.doubt(of: job.command, path: path) {
            log.add(own.source.problem(at: ["command"], doubt, severity: .warning))
        }
        if let notify = job.notify, let doubt = ProgramLookup.doubt(of: notify.command, path: path) {
            log.add(own.source.problem(at: ["notify", "command"], doubt, severity: .warning))
        }
    }

    private func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let folder = getcwd(nil, 0) else { return path }
        defer { free(folder) }
        return String(cString: folder) + "/" + path
    }

    /// The node's own file may be a link, as NixOS has it; the folders on both ways are checked.
    private func resolved(_ path: String) -> String {
        guard let target = realpath(path, nil) else { return path }
        defer { free(target) }
        return String(cString: target)
    }

    private func isMissing(_ path: String) -> Bool {
        access(path, F_OK) != 0 && errno == ENOENT
    }
}

extension ConfigNode {
    /// These defaults with a file's own values in them. The table as a whole is the file's, for messages.
    func below(_ own: ConfigNode) -> ConfigNode {
        guard case .table(let values) = merged(with: own).value else { return own }
        return ConfigNode(value: .table(values), source: own.source, path: own.path)
    }
}
