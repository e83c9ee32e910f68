// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Machines that are cut off: nothing is refused, everything is lost.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct NetworkTests {
    private static let names = ["a", "b", "c"]

    private func withCutableFleet(
        _ body: (_ fleet: Fleet, _ network: Network, _ server: TestServer, _ nodes: [Node], _ run: History.Run)
            async throws -> Void
    ) async throws {
        try #require(geteuid() == 0, "only root can make network namespaces")
        try await withNetwork(Self.names) { network in
            let options = TestServer.Options(address: Network.serverAddress, network: network.hub)
            try await withServer(options) { server in
                try await withFleet(server: server) { fleet in
                    let nodes = try Self.names.map { try fleet.node($0, network: network.namespace($0)) }
                    for node in nodes {
                        try node.job("job", fleet.workload(["--daemonise"]))
                        try node.start()
                    }
                    let run = try await fleet.waitForRun()
                    // Warm: every waiter has watched the store for longer than T.
                    try await Task.sleep(for: fleet.timeout * 1.5)
                    try await body(fleet, network, server, nodes, run)
                    try fleet.expectAtMostOne()
                }
            }
        }
    }

    @Test(arguments: TestLength.isLong ? [Network.Cut.cable, .switching, .replies] : [.cable, .replies])
    func theRunnerThatIsCutOffEndsItsRunAndAnotherStartsOne(_ cut: Network.Cut) async throws {
        try await withCutableFleet { fleet, network, server, nodes, run in
            let runner = try #require(nodes.first { $0.name == run.node })
            try await network.cut(runner.name, cut)
            let instant = BootClock.now()
            var expiry = try server.expiry(ofLockOf: "job")
            // A renewal that was on its way may still arrive; where only replies are lost, several, until the runner
            // gives up. It is the last one that counts.
            try await Task.sleep(for: fleet.timeout * 0.9)
            expiry = max(expiry, (try? server.expiry(ofLockOf: "job")) ?? expiry)
            let (next, late) = try await measuringLateness { worst in
                (try await fleet.waitForRun(after: run.last), worst())
            }
            #expect(next.node != run.node)
            #expect(next.fence > run.fence)
            #expect(next.first - expiry < .milliseconds(100) + late * 3, "the machine itself was up to \(late) late")

            let first = try #require(try fleet.read().runs().first { $0.id == run.id })
            #expect(first.pids.count == 2, "the daemonised descendant wrote too")
            #expect(first.last < expiry)
            #expect(first.last - instant < fleet.timeout)
            for pid in first.pids { #expect(!Processes.isAlive(pid)) }

            // Its own side of it.
            try await runner.waitForStatus("it says that the store can't be reached") {
                $0.store.state.hasPrefix("unreachable") && $0.jobs.first?.state == .waitingForStore
                    && $0.jobs.first?.run == nil
            }
            let (code, text, _) = try await runner.batonctl("status")
            #expect(code == 0)
            #expect(text.contains("unreachable"), "\(text)")
            // The others' side.
            for node in nodes where node.name != run.node {
                try await node.waitForStatus("it names the new holder") {
                    $0.store.state == "connected" && $0.jobs.first?.holder?.runID == next.id
                }
            }

            try await network.mend(runner.name, cut)
            try await runner.waitForStatus("it stands by again, and names the new holder") {
                $0.store.state == "connected" && $0.jobs.first?.state == .standby
                    && $0.jobs.first?.holder?.node == next.node && $0.jobs.first?.holder?.fence == next.fence
            }
            try await Task.sleep(for: fleet.timeout)
            #expect(try fleet.read().runs().count == 2)
        }
    }

    @Test func aShortCutIsNotNoticed() async throws {
        try await withCutableFleet { fleet, network, _, _, run in
            for _ in 0..<3 {
                try await network.cut(run.node, .switching)
                try await Task.sleep(for: fleet.timeout / 4)
                try await network.mend(run.node, .switching)
                try await Task.sleep(for: fleet.timeout)
            }
            let runs = try fleet.read().runs()
            #expect(runs.map(\.id) == [run.id])
            #expect(BootClock.now() - (runs.first?.last ?? run.first) < .milliseconds(500))
        }
    }

    @Test func aServerThatNobodyReachesStartsOneRunnerWhenItIsBack() async throws {
        try await withCutableFleet { fleet, network, _, nodes, run in
            let instant = BootClock.now()
            for node in nodes { try await network.cut(node.name, .cable) }
            try await Task.sleep(for: fleet.timeout * 2)
            let ended = try #require(try fleet.read().runs().first)
            #expect(ended.last - instant < fleet.timeout)
            #expect(try fleet.read().runs().count == 1)
            for node in nodes {
                try await node.waitForStatus("cut off") { $0.store.state.hasPrefix("unreachable") }
            }
            let back = BootClock.now()
            for node in nodes { try await network.mend(node.name, .cable) }
            let next = try await fleet.waitForRun(after: back)
            #expect(next.fence > run.fence)
            try await Task.sleep(for: fleet.timeout)
            #expect(try fleet.read().runs().count == 2)
        }
    }

    /// The end of a scheduled run cannot be told: it is told later, and nobody does the work again.
    @Test func aRunThatEndsWhileItsNodeIsCutOffIsOneSuccess() async throws {
        try #require(geteuid() == 0, "only root can make network namespaces")
        let names = ["a", "b"]
        try await withNetwork(names) { network in
            let options = TestServer.Options(address: Network.serverAddress, network: network.hub)
            try await withServer(options) { server in
                try await withFleet(server: server) { fleet in
                    let file = TickFile(path: fleet.folder + "/ticks")
                    let work = "while [ ! -e \(fleet.folder)/over ]; do sleep 0.02; done"
                    let nodes = try names.map { try fleet.node($0, network: network.namespace($0)) }
                    for node in nodes {
                        // Not during a test, unless on one night in four years.
                        try node.job("job", file.job("schedule = '0 0 29 2 *'", doing: work))
                        try node.start()
                    }
                    for node in nodes {
                        try await node.waitForStatus("it knows the ledger") { $0.jobs.first?.ledger != nil }
                    }
                    #expect(try await nodes[0].batonctl("run", "job").code == 0)
                    let run = try await fleet.waitFor("a run") { _ in file.begun().first }
                    try await network.cut(run.node, .cable)
                    #expect(FileManager.default.createFile(atPath: "\(fleet.folder)/over", contents: nil))
                    try await fleet.waitFor("it ends") { _ in file.lines(of: "job", "end").first }
                    let other = try #require(nodes.first { $0.name != run.node })
                    try await other.waitForStatus("the lock has run out") { $0.jobs.first?.holder == nil }
                    try await Task.sleep(for: fleet.timeout)
                    try await network.mend(run.node, .cable)

                    let deadline = BootClock.now() + .seconds(20)
                    var lines: [HistoryLine] = []
                    while lines.first?.outcome != "succeeded", BootClock.now() < deadline {
                        try await Task.sleep(for: .milliseconds(50))
                        let text = try await other.batonctl("history", "job", "--json").output
                        lines = try JSONDecoder().decode(HistoryReport.self, from: Data(text.utf8)).runs
                    }
                    #expect(lines.map(\.outcome) == ["succeeded"], "\(lines)")
                    #expect(
                        lines.first?.runID == run.run && lines.first?.exitCode == 0 && lines.first?.node == run.node)
                    #expect(file.begun().count == 1)
                    // What is asked for next is run.
                    #expect(try await other.batonctl("run", "job", "--wait", "--timeout", "1m").code == 0)
                    #expect(file.begun().count == 2)
                }
            }
        }
    }
}
