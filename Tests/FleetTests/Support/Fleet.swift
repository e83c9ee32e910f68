// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
@testable import BatonTestSupport
import Foundation
import Synchronization
import Testing

/// Nodes of one test: real daemons, keepers and workloads, each node in a folder of its own, one store for all.
final class Fleet: Sendable {
    let folder: String
    let storeURL: String
    /// T of every job.
    let timeout: Duration
    var history: String { folder + "/history" }
    private let evidence: Mutex<History>

    fileprivate init(storeURL: String?, timeout: Duration) throws {
        folder = "/tmp/baton-fleet-" + UUID().uuidString.prefix(8).lowercased()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        self.storeURL = storeURL ?? "sqlite://\(folder)/store.db"
        self.timeout = timeout
        evidence = Mutex(History(path: folder + "/history"))
    }

    /// A node that was not started yet.
    ///
    /// - Parameter replicas: `store.replicas`; nil: not in the file.
    func node(
        _ name: String, storeURL: String? = nil, replicas: Int? = nil, network: String? = nil
    ) throws -> Node {
        let node = try Node(name: name, fleet: self, storeURL: storeURL ?? self.storeURL, network: network)
        if let replicas { try node.setReplicas(replicas) }
        return node
    }

    /// The job file of a workload that writes into the history.
    func workload(_ arguments: [String] = [], _ rest: String = "") -> String {
        let command = ([Binary.workload, history] + arguments).map { "\"\($0)\"" }.joined(separator: ", ")
        return "command = [\(command)]\noutput.to = \"none\"\n\(rest)\n"
    }

    func read() throws -> History {
        try evidence.withLock {
            try $0.update()
            return $0
        }
    }

    /// No overlap, and fences that grow.
    func expectAtMostOne(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let violations = try read().violations()
        #expect(violations.isEmpty, sourceLocation: sourceLocation)
    }

    /// Waits until the workloads' own lines say so.
    @discardableResult
    func waitFor<Found>(
        _ what: Comment, within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation,
        _ condition: (History) throws -> Found?
    ) async throws -> Found {
        let deadline = BootClock.now() + limit
        while BootClock.now() < deadline {
            if let found = try condition(try read()) { return found }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record(what, sourceLocation: sourceLocation)
        throw TestFailure("waited in vain: \(what)\n\(try read().runs().map(\.description).joined(separator: "\n"))")
    }

    /// Waits for a run that goes on now: one whose last line is younger than 100 ms.
    func waitForRun(
        of job: String = "job", on node: String? = nil, after: Instant = Instant(nanoseconds: 0),
        within limit: Duration = .seconds(20), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> History.Run {
        try await waitFor("a run of \(job) on \(node ?? "any node")", within: limit, sourceLocation: sourceLocation) {
            // Alive now, for a machine that may be busy: half a second is still less than any takeover.
            $0.runs(of: job).last {
                (node == nil || $0.node == node) && $0.first > after
                    && BootClock.now() - $0.last < .milliseconds(500)
            }
        }
    }
}

/// Runs `body` with a fleet; afterwards every node is ended and no process of it is left, whatever happened.
///
/// The store is a server of the test's own, or, without one, an SQLite file.
func withFleet(
    server: TestServer? = nil, timeout: Duration = .seconds(2), _ body: (Fleet) async throws -> Void
) async throws {
    let fleet = try Fleet(storeURL: server?.url, timeout: timeout)
    do {
        try await body(fleet)
    } catch {
        fleet.showLogs()
        await fleet.cleanUp()
        throw error
    }
    await fleet.cleanUp()
}

extension Fleet {
    /// What the daemons said, for a failed test.
    fileprivate func showLogs() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder))?.sorted() ?? [] {
            guard let log = try? String(contentsOfFile: "\(folder)/\(name)/log", encoding: .utf8) else { continue }
            print("--- \(name)\n\(log.suffix(6000))")
        }
    }

    /// Kills what is left of the test, found by the folder in its command line or its run directory.
    fileprivate func cleanUp() async {
        for _ in 0..<200 {
            let left = Processes.mentioning(folder)
            if left.isEmpty { break }
            for pid in left { kill(pid, SIGKILL) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        removeCgroups()
        if ProcessInfo.processInfo.environment["BATON_TEST_KEEP"] != nil { return print("kept: \(folder)") }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Without a daemon that comes back, nobody else removes those of runs that were killed.
    private func removeCgroups() {
        var runs = Set((try? read().runs().map(\.id)) ?? [])
        for node in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
            let folders = FileManager.default.enumerator(atPath: "\(folder)/\(node)/run/runs")?.map { "\($0)" } ?? []
            runs.formUnion(folders.compactMap { $0.split(separator: "/").last.map(String.init) })
        }
        for group in Processes.cgroups() {
            if let run = group.split(separator: "-").last, runs.contains(String(run)) { rmdir(group) }
        }
    }
}

extension TestServer {
    /// When the lock of a job ends, if nobody renews it.
    func expiry(ofLockOf job: String) throws -> Instant {
        let sent = BootClock.now()
        guard let left = try number("PTTL", "{baton}:\(job):lock"), left > 0 else {
            throw TestFailure("the lock is gone")
        }
        return sent + .milliseconds(left)
    }
}
