// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
@testable import BatonTestSupport
import Foundation
import Synchronization
import Testing

/// One node: a folder with its configuration, its runtime and state directories, and, when started, its daemon.
final class Node: Sendable {
    let name: String
    let folder: String
    private let network: String?
    private let daemon = Mutex<Process?>(nil)
    /// What the daemon finds beside the test's own environment.
    var environment: [String: String] {
        get { extra.withLock { $0 } }
        set { extra.withLock { $0 = newValue } }
    }
    private let extra = Mutex<[String: String]>([:])

    var runtime: String { folder + "/run" }
    var socket: String { runtime + "/control.sock" }

    init(name: String, fleet: Fleet, storeURL: String, network: String?) throws {
        self.name = name
        self.network = network
        folder = fleet.folder + "/" + name
        try FileManager.default.createDirectory(atPath: folder + "/etc/jobs.d", withIntermediateDirectories: true)
        let seconds = Double(fleet.timeout.milliseconds) / 1000
        try """
        [node]
        name = "\(name)"
        [log]
        level = "debug"
        [store]
        url = "\(storeURL)"
        max_lock_timeout = "\(seconds)s"
        request_timeout = "300ms"
        connect_timeout = "1s"
        [defaults.lock]
        timeout = "\(seconds)s"
        [defaults.restart]
        delay = "100ms"
        """.write(toFile: folder + "/etc/batond.toml", atomically: true, encoding: .utf8)
    }

    func job(_ name: String = "job", _ text: String) throws {
        try text.write(toFile: folder + "/etc/jobs.d/\(name).toml", atomically: true, encoding: .utf8)
    }

    /// Sets `store.replicas`, for the next start.
    func setReplicas(_ count: Int) throws {
        let path = folder + "/etc/batond.toml"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("replicas = ") }
            .flatMap { $0 == "[store]" ? [$0, "replicas = \(count)"] : [$0] }
        try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    }

    var arguments: [String] {
        ["--config", folder + "/etc/batond.toml", "--runtime-dir", runtime, "--state-dir", folder + "/state"]
    }

    func start() throws {
        let process = Process()
        let log = folder + "/log"
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        guard let handle = FileHandle(forWritingAtPath: log) else { throw TestFailure("no log at \(log)") }
        handle.seekToEndOfFile()
        if let network {
            // Not "ip netns exec": that hides the cgroups.
            process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
            process.arguments = ["--net=/run/netns/\(network)", Binary.batond] + arguments
        } else {
            process.executableURL = URL(fileURLWithPath: Binary.batond)
            process.arguments = arguments
        }
        if !environment.isEmpty {
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        }
        try process.run(output: handle, errors: handle)
        daemon.withLock { $0 = process }
    }

    /// The daemon's process.
    var pid: Int32 { daemon.withLock { $0?.processIdentifier } ?? 0 }

    func signal(_ number: Int32) { kill(pid, number) }

    /// The daemon's exit code, once it has ended.
    @discardableResult
    func exitCode(within limit: Duration = .seconds(20)) async throws -> Int32 {
        let deadline = BootClock.now() + limit
        while BootClock.now() < deadline {
            if let code = daemon.withLock({ $0.flatMap { $0.isRunning ? nil : $0.terminationStatus } }) { return code }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw TestFailure("batond of \(name) did not end")
    }

    func stop() async throws {
        signal(SIGTERM)
        #expect(try await exitCode() == 0)
    }

    func crash() async throws {
        signal(SIGKILL)
        try await exitCode()
    }

    func status() async throws -> StatusReport {
        let (code, output, errors) = try await batonctl("status", "--json")
        guard code == 0 else { throw TestFailure("batonctl status on \(name): \(code) \(errors)") }
        return try JSONDecoder().decode(StatusReport.self, from: Data(output.utf8))
    }

    func batonctl(_ arguments: String...) async throws -> (code: Int32, output: String, errors: String) {
        try await run(Binary.batonctl, arguments + ["--socket", socket])
    }

    /// Waits until `status` says so.
    func waitForStatus(
        _ what: Comment, within limit: Duration = .seconds(20), _ condition: (StatusReport) -> Bool
    ) async throws {
        let deadline = BootClock.now() + limit
        var last: StatusReport?
        while BootClock.now() < deadline {
            last = try? await status()
            if let last, condition(last) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw TestFailure("waited in vain: \(what); last: \(String(describing: last))")
    }

    /// The keeper and the guard of a workload's main process.
    static func keepers(of workload: Int32) throws -> (keeper: Int32, guardian: Int32) {
        guard let keeper = Processes.parent(of: workload), let guardian = Processes.parent(of: keeper) else {
            throw TestFailure("no keeper above \(workload)")
        }
        return (keeper, guardian)
    }
}
