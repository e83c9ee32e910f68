// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Daemons, keepers and guards that die or hang.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CrashTests {
    /// Three nodes, one job, warm: every waiter has watched the store for longer than T.
    private func withWarmFleet(
        workload arguments: [String] = [],
        _ body: (_ fleet: Fleet, _ server: TestServer, _ runner: Node, _ run: History.Run, _ others: [Node])
            async throws -> Void
    ) async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload(arguments))
                    try node.start()
                }
                let run = try await fleet.waitForRun()
                try await Task.sleep(for: fleet.timeout * 1.5)
                let runner = try #require(nodes.first { $0.name == run.node })
                try await body(fleet, server, runner, run, nodes.filter { $0.name != run.node })
                try fleet.expectAtMostOne()
            }
        }
    }

    @Test func aRestartedDaemonTakesTheRunOver() async throws {
        try await withWarmFleet { fleet, _, runner, run, _ in
            for _ in 0..<3 {
                try await runner.crash()
                try runner.start()
                try await runner.waitForStatus("the run is known again") {
                    $0.jobs.first?.run?.runID == run.id && $0.jobs.first?.holder?.fence == run.fence
                }
            }
            try await Task.sleep(for: fleet.timeout * 2)
            let history = try fleet.read()
            #expect(history.runs().count == 1)
            let now = try #require(history.runs().first)
            #expect(now.pids == run.pids)
            #expect(BootClock.now() - now.last < .milliseconds(200))
            #expect(history.longestGap(in: now) < .milliseconds(500))
            try await runner.stop()
        }
    }

    @Test func withoutItsDaemonARunEndsBeforeTheTTL() async throws {
        try await withWarmFleet(workload: ["--daemonise"]) { fleet, server, runner, run, _ in
            try await runner.crash()
            let expiry = try server.expiry(ofLockOf: "job")
            let next = try await fleet.waitForRun(after: run.last)
            #expect(next.node != run.node)
            #expect(next.first - expiry < .milliseconds(100))
            let first = try #require(try fleet.read().runs().first { $0.id == run.id })
            #expect(first.pids.count == 2, "the daemonised descendant wrote too")
            #expect(first.last < expiry)
            for pid in first.pids { #expect(!Processes.isAlive(pid)) }
        }
    }

    @Test func aHungDaemonCostsTheRunAndLearnsOfIt() async throws {
        try await withWarmFleet { fleet, server, runner, run, others in
            runner.signal(SIGSTOP)
            let expiry = try server.expiry(ofLockOf: "job")
            // Meanwhile nobody else gets its runtime directory.
            let (code, _, errors) = try await BatonTestSupport.run(Binary.batond, runner.arguments)
            #expect(code == 78)
            #expect(errors.contains("\(runner.pid)"), "\(errors)")
            let next = try await fleet.waitForRun(after: run.last)
            #expect(next.first - expiry < .milliseconds(100))
            try await Task.sleep(for: fleet.timeout)
            runner.signal(SIGCONT)
            try await runner.waitForStatus("it stands by again, and names the new holder") {
                $0.jobs.first?.state == .standby && $0.jobs.first?.holder?.node == next.node
            }
            try await Task.sleep(for: fleet.timeout)
            #expect(try fleet.read().runs().count == 2)
            _ = others
        }
    }

    enum Victim: String, CaseIterable, CustomTestStringConvertible {
        case keeper, guardian, keeperAndDaemon, guardianAndDaemon, both
        var testDescription: String { rawValue }
    }

    @Test(arguments: Victim.allCases) func nobodyDiesAlone(_ victim: Victim) async throws {
        try await withWarmFleet(workload: ["--daemonise"]) { fleet, _, runner, run, _ in
            let main = try #require(try fleet.read().lines.first { $0.run == run.id && $0.role == "main" }).pid
            let (keeper, guardian) = try Node.keepers(of: main)
            switch victim {
            case .keeper: kill(keeper, SIGKILL)
            case .guardian: kill(guardian, SIGKILL)
            case .keeperAndDaemon:
                kill(keeper, SIGKILL)
                runner.signal(SIGKILL)
            case .guardianAndDaemon:
                kill(guardian, SIGKILL)
                runner.signal(SIGKILL)
            case .both:
                kill(keeper, SIGKILL)
                kill(guardian, SIGKILL)
            }
            let killed = BootClock.now()
            let next = try await fleet.waitForRun(after: killed)
            let first = try #require(try fleet.read().runs().first { $0.id == run.id })
            #expect(first.last - killed < .milliseconds(500), "gone at once, not at the deadline")
            for pid in first.pids { #expect(!Processes.isAlive(pid)) }
            #expect(next.fence > run.fence)
        }
    }

    /// All three at the same moment: nobody is left to kill the grandchildren but the next daemon, which systemd starts
    /// at once. (The direct child dies with its parent.)
    @Test func keeperGuardAndDaemonDieTogether() async throws {
        try await withWarmFleet(workload: ["--daemonise"]) { fleet, _, runner, run, _ in
            let main = try #require(try fleet.read().lines.first { $0.run == run.id && $0.role == "main" }).pid
            let (keeper, guardian) = try Node.keepers(of: main)
            for pid in [runner.pid, guardian, keeper] { kill(pid, SIGKILL) }
            try await runner.exitCode()
            let killed = BootClock.now()
            try runner.start()
            _ = try await fleet.waitForRun(after: killed)
            let first = try #require(try fleet.read().runs().first { $0.id == run.id })
            #expect(first.last - killed < .milliseconds(1000))
            for pid in first.pids { #expect(!Processes.isAlive(pid)) }
        }
    }
}
