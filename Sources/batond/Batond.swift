// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
import BatonCore
import BatonDaemon
import BatonSystem
import Glibc
import Logging

@main
struct Batond: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batond",
        abstract: "Runs each declared job on exactly one machine of a fleet.",
        version: "batond \(BatonVersion.current)")

    @Option(
        help: ArgumentHelp("The node's configuration; job files are read from jobs.d beside it.", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config = "/etc/baton/batond.toml"

    @Option(help: ArgumentHelp("The node's name (default: node.name, else the hostname).", valueName: "name"))
    var node: String?

    @Option(help: ArgumentHelp("Sockets and the folders of running jobs.", valueName: "folder"), completion: .directory)
    var runtimeDir = "/run/baton"

    @Option(
        help: ArgumentHelp("The embedded store, and what this node remembers.", valueName: "folder"),
        completion: .directory)
    var stateDir = "/var/lib/baton"

    @Option(
        help: ArgumentHelp("trace, debug, info, notice, warning or error (default: log.level).", valueName: "level"),
        completion: .list(["trace", "debug", "info", "notice", "warning", "error", "critical"]))
    var logLevel: String?

    @Flag(help: "Check every file and exit: 0 when all is well, 78 otherwise.")
    var check = false

    func validate() throws {
        for problem in NodeOverrides(name: node, logLevel: logLevel).problems { throw ValidationError(problem) }
    }

    func run() async throws {
        throw ExitCode(try await start())
    }

    private func start() async throws -> Int32 {
        let image = try ProgramImage(arguments: Array(CommandLine.arguments.dropFirst()))
        let files = NodeFiles(
            path: config, overrides: NodeOverrides(name: node, logLevel: logLevel, stateDirectory: stateDir))
        let loaded = files.load()
        let (node, jobs) = (loaded.node, loaded.jobs)
        guard node.errors.isEmpty else {
            for problem in node.errors { say("\(problem)") }
            return Exit.configuration
        }
        for problem in loaded.warnings { say("warning: \(problem)") }
        if check { return report(jobs) }
        for problem in jobs.unreadable { say("warning: \(problem)") }

        let level = LogLevel(named: node.settings.logLevel)
        let log = DaemonLog(level: level, node: node.settings.name)
        let events = EventLog(node: node.settings.name)
        LoggingSystem.bootstrap { _ in EventLogHandler(log.handler(), events) }
        defer { log.flush() }
        let logger = Logger(label: "batond")
        for problem in jobs.errors { logger.log(level: .error, "\(problem)", event: .jobInvalid) }
        do {
            let directories = Daemon.Directories(runtime: runtimeDir, state: stateDir)
            let daemon = try Daemon(
                files: files, loaded: loaded, directories: directories, logger: logger, level: level, events: events,
                image: image, lastWords: { log.flush(within: .milliseconds(200)) })
            try await daemon.run()
            return Exit.success
        } catch let error as StartError {
            say("\(error)")
            return Exit.configuration
        } catch {
            logger.log(level: .critical, "ended by an error", event: .nodeFailed, metadata: ["reason": "\(error)"])
            return Exit.failure
        }
    }

    private func report(_ jobs: LoadedJobs) -> Int32 {
        let errors = jobs.unreadable + jobs.errors
        for problem in errors { say("\(problem)") }
        for file in jobs.ignored { say("ignored: \(file.path): \(file.reason)") }
        if !errors.isEmpty { return Exit.configuration }
        print("\(config): fine, with \(jobs.jobs.count) job\(jobs.jobs.count == 1 ? "" : "s")")
        return Exit.success
    }

    private func say(_ text: String) {
        let line = Array("batond: \(text)\n".utf8)
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private enum Exit {
        static let success: Int32 = 0
        static let failure: Int32 = 1
        /// EX_CONFIG: systemd does not start it again before somebody looked.
        static let configuration: Int32 = 78
    }
}
