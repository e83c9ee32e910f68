// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Many jobs, and daemons that die all the time.
///
/// `BATON_CHURN_SECONDS` shortens or lengthens it (15; in the long tests 120), `BATON_SEED` repeats one (the seed is printed).
@Suite(.serialized, .timeLimit(.minutes(5))) struct ChurnTests {
    private static let environment = ProcessInfo.processInfo.environment
    private let length = Duration.seconds(
        Self.environment["BATON_CHURN_SECONDS"].flatMap(Int64.init) ?? (TestLength.isLong ? 120 : 15))
    private let seed = Self.environment["BATON_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...999_999_999)
    private let jobs = (0..<100).map { "job-\($0)" }

    @Test func aHundredJobsOutliveTheirDaemons() async throws {
        print("churn: BATON_SEED=\(seed), for \(length)")
        try await withServer { server in
            try await withFleet(server: server, timeout: .seconds(3)) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    for job in jobs { try node.job(job, fleet.workload(["--period", "100"])) }
                    try node.start()
                }
                let end = BootClock.now() + length
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (index, node) in nodes.enumerated() {
                        group.addTask { try await churn(node, fleet, until: end, Chance(seed + UInt64(index))) }
                    }
                    try await group.waitForAll()
                }
                let settled = try await settle(fleet)
                try await Task.sleep(for: fleet.timeout * 2)
                #expect(try alive(fleet.read()).mapValues { $0.map(\.id) } == settled, "nothing moves any more")
                for node in nodes { try await expectHolders(node, settled) }
                let history = try fleet.read()
                print("churn: \(history.runs().count) runs, \(history.lines.count) lines")
                let violations = history.violations()
                #expect(violations.isEmpty)

                for node in nodes { try await node.stop() }
                try fleet.expectAtMostOne()
                try expectNothingLeft(of: fleet, nodes)
            }
        }
    }

    private func churn(_ node: Node, _ fleet: Fleet, until end: Instant, _ chance: Chance) async throws {
        var chance = chance
        while true {
            try await Task.sleep(for: .milliseconds(chance.next(200, 5000)))
            if BootClock.now() >= end { return }
            if chance.next(0, 3) == 0 {
                node.signal(SIGTERM)
                let code = try await node.exitCode(within: .seconds(60))
                #expect(code == 0 || code == SIGTERM, "a daemon that has just begun may not trap it yet")
            } else {
                node.signal(SIGKILL)
                try await node.exitCode()
            }
            // At once, as systemd would; soon enough to save the leases; or too late for that.
            let pause = [0, 0, chance.next(0, 1000), chance.next(0, 2 * Int(fleet.timeout.milliseconds))]
            try await Task.sleep(for: .milliseconds(pause[chance.next(0, 3)]))
            try node.start()
        }
    }

    /// The runs that go on now, by job. (A machine that is busy may delay a line by a second.)
    private func alive(_ history: History) -> [String: [History.Run]] {
        let now = BootClock.now()
        return Dictionary(grouping: history.runs().filter { now - $0.last < .milliseconds(1200) }, by: \.job)
    }

    /// Waits until every job runs exactly once.
    private func settle(_ fleet: Fleet) async throws -> [String: [String]] {
        var running: [String: [History.Run]] = [:]
        let deadline = BootClock.now() + .seconds(60)
        while BootClock.now() < deadline {
            try await Task.sleep(for: .milliseconds(500))
            running = alive(try fleet.read())
            if running.count == jobs.count, running.values.allSatisfy({ $0.count == 1 }) {
                return running.mapValues { $0.map(\.id) }
            }
        }
        let missing = jobs.filter { running[$0]?.count != 1 }
        throw TestFailure("after a minute of peace these do not run exactly once: \(missing)")
    }

    private func expectHolders(_ node: Node, _ runs: [String: [String]]) async throws {
        let status = try await node.status()
        for job in status.jobs where job.holder?.runID != runs[job.name]?.first {
            Issue.record("\(node.name) says that \(job.name) is held by \(String(describing: job.holder))")
        }
        #expect(status.jobs.count == jobs.count)
    }

    /// No process, no run folder, no cgroup.
    private func expectNothingLeft(of fleet: Fleet, _ nodes: [Node]) throws {
        let runs = Set(try fleet.read().runs().map(\.id))
        for pid in Processes.mentioning(fleet.folder) where Processes.isAlive(pid) {
            Issue.record("left: process \(pid) \(Processes.commandLine(pid))")
        }
        for node in nodes {
            // What stays is the tail of each job's last run, for batonctl logs.
            let kept = Set(jobs + jobs.flatMap { ["\($0)/last-output", "\($0)/lock"] })
            let left = FileManager.default.enumerator(atPath: node.runtime + "/runs")?.map { "\($0)" } ?? []
            #expect(Set(left).subtracting(kept).isEmpty)
        }
        let groups = Processes.cgroups().filter { group in runs.contains { group.hasSuffix($0) } }
        #expect(groups.isEmpty)
    }
}

/// Random numbers that a seed repeats (SplitMix64).
private struct Chance {
    private var state: UInt64

    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    /// From `low` to `high`, both included.
    mutating func next(_ low: Int, _ high: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        return low + Int(mixed % UInt64(high - low + 1))
    }
}
