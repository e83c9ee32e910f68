// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
import BatonCore
import BatonDaemon
import Glibc
import Logging

@main
struct Batond: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batond",
        abstract: "Runs each declared job on exactly one machine of a fleet.",
        version: "batond \(BatonVersion.current)")

    @Option(help: "The node's configuration; job files are read from jobs.d beside it.")
    var config = "/etc/baton/batond.toml"

    @Option(help: "The node's name (default: node.name, else the hostname).")
    var node: String?

    @Option(help: "Sockets and the folders of running jobs.")
    var runtimeDir = "/run/baton"

    @Option(help: "The embedded store, and what this node remembers.")
    var stateDir = "/var/lib/baton"

    @Option(help: "trace, debug, info, notice, warning or error (default: log.level).")
    var logLevel: String?

    @Flag(help: "Check every file and exit: 0 when all is well, 78 otherwise.")
    var check = false

    func run() async throws {
        throw ExitCode(try await start())
    }

    private func start() async throws -> Int32 {
        fatalError()
    }
}
