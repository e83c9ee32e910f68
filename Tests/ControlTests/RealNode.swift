// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
@testable import BatonTestSupport
import Foundation
import Glibc
import Synchronization
import Testing

/// A batond of this build, with its files in a folder of its own, and a store on a file.
final class RealNode: Sendable {
    let name: String
    let folder: String
    private let process = Mutex<Process?>(nil)

    var socket: String { "\(folder)/run/control.sock" }

    /// - Parameters:
    ///   - settings: what its `batond.toml` has beside the short leases of tests.
    ///   - store: lines for `[store]`; nothing: an embedded store of its own.
    init(_ name: String, in folder: String, store: String = "", settings: String) throws {
        self.name = name
        self.folder = "\(folder)/\(name)"
        try FileManager.default.createDirectory(atPath: "\(self.folder)/jobs.d", withIntermediateDirectories: true)
        try configure(
            """
            [node]
            name = "\(name)"
            [store]
            \(store)
            max_lock_timeout = "2s"
            [defaults.lock]
            timeout = "2s"
            \(settings)
            """)
    }

    func configure(_ text: String) throws { try writeFile("\(folder)/batond.toml", text) }

    func job(_ name: String, _ text: String) throws { try writeFile("\(folder)/jobs.d/\(name).toml", text) }

    func start(environment: [String: String] = [:]) throws {
        let log = "\(folder)/log"
        try writeFile(log)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try built("batond"))
        process.arguments = [
            "--config", "\(folder)/batond.toml", "--runtime-dir", "\(folder)/run", "--state-dir", "\(folder)/state",
        ]
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = try #require(FileHandle(forWritingAtPath: log))
        try process.run(output: output, errors: output)
        self.process.withLock { $0 = process }
    }

    func kill() { process.withLock { $0?.processIdentifier }.map { _ = Glibc.kill($0, SIGKILL) } }

    /// An orderly end: SIGTERM, and what came of it.
    func stop() async throws {
        let pid = process.withLock { $0?.isRunning == true ? $0?.processIdentifier : nil }
        guard let pid else { return }
        Glibc.kill(pid, SIGTERM)
        do {
            try await eventually("\(name) ends", within: .seconds(30)) {
                self.process.withLock { $0?.isRunning != true }
            }
        } catch {
            Glibc.kill(pid, SIGKILL)
            throw error
        }
    }

    func status() async throws -> StatusReport {
        let result = try await batonctl("status", "--json", socket: socket)
        guard result.code == 0 else { throw TestFailure("batonctl status: \(result)") }
        return try JSONDecoder().decode(StatusReport.self, from: Data(result.out.utf8))
    }

    var log: String { (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? "" }
}

/// Nodes that are stopped, whatever the body does.
func withNodes(_ nodes: [RealNode], _ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch {
        for node in nodes { try? await node.stop() }
        throw TestFailure("\(error); the log: \(nodes.map { $0.log.suffix(2000) })")
    }
    for node in nodes { try await node.stop() }
}

/// Waits until it is so.
func eventually(
    _ what: String, within limit: Duration = .seconds(20), _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + limit
    while clock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(50))
    }
    throw TestFailure("waited in vain: \(what)")
}
