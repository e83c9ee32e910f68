// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// `[placement]`, `[node] tags` and `max_runs`, with real nodes. The suite of the decisions is `PlacementTests`.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PlacementFleetTests {
    @Test func aJobStaysOnTheNodesThatItsFileAllows() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try [("web-1", "a"), ("web-2", "b"), ("db-1", "a")].map { name, zone in
                    let node = try fleet.node(name)
                    try edit(node, "tags = { zone = \"\(zone)\" }")
                    try node.job("named", fleet.workload([], "placement.nodes = [\"web-*\"]"))
                    try node.job("tagged", fleet.workload([], "placement.require = { zone = \"b\" }"))
                    try node.start()
                    return node
                }
                _ = try await fleet.waitForRun(of: "named")
                _ = try await fleet.waitForRun(of: "tagged", on: "web-2")
                try await nodes[2].waitForStatus("db-1 is eligible for neither, and says why") { report in
                    let reasons = report.jobs.map { $0.state == .ineligible ? $0.reason : nil }
                    return reasons == [
                        "db-1 is none of placement.nodes = web-*", "placement.require wants zone = b, db-1 has a",
                    ]
                }
                // Nobody takes over who may not, however long the lock is free.
                try await nodes[1].stop()
                let since = BootClock.now()
                _ = try await fleet.waitForRun(of: "named", on: "web-1")
                try await eventually(within: .seconds(20), "T and more has passed") {
                    BootClock.now() - since > fleet.timeout + .seconds(1)
                }
                let runs = try fleet.read().runs()
                #expect(runs.filter { $0.job == "tagged" }.map(\.node) == ["web-2"])
                #expect(runs.allSatisfy { $0.node != "db-1" })
                #expect(try await nodes[0].batonctl("status", "tagged").output.contains("ineligible"))
                try fleet.expectAtMostOne()
            }
        }
    }

    /// On a server, where a release is announced, and on a file.
    @Test(arguments: [true, false])
    func preferredNodesGoFirstAndNobodyIsPreempted(onServer: Bool) async throws {
        func body(_ fleet: Fleet) async throws {
            let nodes = try ["plain-1", "plain-2", "good"].map { name in
                let node = try fleet.node(name)
                try edit(node, "tags = { zone = \"\(name == "good" ? "a" : "b")\" }")
                try node.job("job", fleet.workload([], "placement.prefer = { zone = \"a\" }"))
                return node
            }
            let good = nodes[2]
            try nodes[0].start()
            let first = try await fleet.waitForRun(on: "plain-1")
            try nodes[1].start()
            try good.start()
            for node in nodes[1...] {
                try await node.waitForStatus("waits for the lock") { $0.jobs.first?.holder?.node == "plain-1" }
            }
            // It is free for all at once; who is preferred takes it.
            try await nodes[0].stop()
            let second = try await fleet.waitForRun(after: first.last)
            #expect(second.node == "good")
            // A node that is preferred is stopped, and there is no other: the rest comes 500 ms later.
            try await good.stop()
            let ended = try #require(try fleet.read().runs().last { $0.node == "good" })
            let third = try await fleet.waitForRun(on: "plain-2", after: ended.last)
            #expect(third.first - ended.last >= .milliseconds(495), "\(third.first - ended.last)")
            // It comes back, and the run goes on where it is.
            try good.start()
            try await good.waitForStatus("stands by") { $0.jobs.first?.holder?.node == "plain-2" }
            let again = BootClock.now()
            try await eventually("a second has passed") { BootClock.now() - again > .seconds(1) }
            #expect(try fleet.read().runs().count == 3)
            try fleet.expectAtMostOne()
        }
        if onServer {
            try await withServer { try await withFleet(server: $0, body) }
        } else {
            try await withFleet(body)
        }
    }

    @Test func aNodeHasNoMoreRunsThanItMay() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let jobs = ["a", "b", "c", "d", "e"]
                let nodes = try ["one", "two"].map { name in
                    let node = try fleet.node(name)
                    try edit(node, "max_runs = \(name == "one" ? 1 : 2)")
                    for job in jobs { try node.job(job, fleet.workload()) }
                    try node.start()
                    return node
                }
                let running = try await fleet.waitFor("three runs") { history in
                    let now = history.runs().filter { BootClock.now() - $0.last < .milliseconds(500) }
                    return now.count == 3 ? now : nil
                }
                #expect(running.count { $0.node == "one" } == 1)
                for node in nodes {
                    try await node.waitForStatus("nobody competes for the other two") { report in
                        let waiting = report.jobs.filter { !running.map(\.job).contains($0.name) }
                        return waiting.allSatisfy {
                            $0.state == .ineligible && $0.holder == nil && $0.reason?.contains("node.max_runs") == true
                        }
                    }
                }
                // As soon as a run ends, its node competes again, without waiting for a lease to end.
                let over = try #require(running.first { $0.node == "one" })
                let stopped = BootClock.now()
                #expect(try await nodes[1].batonctl("stop", over.job).code == 0)
                let next = try await fleet.waitFor("a fourth run") { $0.runs().first { $0.first > stopped } }
                #expect(next.node == "one" && !running.map(\.job).contains(next.job))
                // A crash: runs that go on count for the next daemon as well.
                try await nodes[1].crash()
                try nodes[1].start()
                try await nodes[1].waitForStatus("its two runs are known again") {
                    $0.jobs.count { $0.state == .running } == 2 && $0.jobs.count { $0.state == .ineligible } == 3
                }
                try fleet.expectAtMostOne()
                try expectNoMore(than: ["one": 1, "two": 2], in: try fleet.read())
            }
        }
    }

    /// A node that is no longer eligible stops the job properly and releases its lock; one that is preferred no longer
    /// keeps its run.
    @Test func aReloadMovesAJobThatMayNotStay() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["web-1", "web-2"].map { name in
                    let node = try fleet.node(name)
                    try node.job("job", fleet.workload([], "placement.nodes = [\"web-*\"]"))
                    return node
                }
                try nodes[0].start()
                let first = try await fleet.waitForRun(on: "web-1")
                try nodes[1].start()
                try await nodes[1].waitForStatus("stands by") { $0.jobs.first?.holder?.node == "web-1" }

                let preferring = "placement.nodes = [\"web-*\"]\nplacement.prefer = { zone = \"z\" }"
                try nodes[0].job("job", fleet.workload([], preferring))
                #expect(try await nodes[0].batonctl("reload").code == 0)
                #expect(try await nodes[0].status().jobs.first?.run?.runID == first.id)

                try nodes[0].job("job", fleet.workload([], "placement.nodes = [\"web-2\"]"))
                let told = try await nodes[0].batonctl("reload", "--json").output
                #expect(told.contains("placement.nodes"))
                let second = try await fleet.waitForRun(on: "web-2", after: first.last)
                let ended = try #require(try fleet.read().runs().first { $0.id == first.id })
                #expect(second.first - ended.last < fleet.timeout / 2, "the lock was released")
                #expect(try fleet.read().lines.contains { $0.run == first.id && $0.event == "term" })
                try await nodes[0].waitForStatus("not eligible") {
                    $0.jobs.first?.state == .ineligible && $0.jobs.first?.reason?.contains("placement.nodes") == true
                }
                // And back.
                try nodes[0].job("job", fleet.workload([], "placement.nodes = [\"web-*\"]"))
                #expect(try await nodes[0].batonctl("reload").code == 0)
                try await nodes[0].waitForStatus("stands by") { $0.jobs.first?.state == .standby }
                try await nodes[1].stop()
                _ = try await fleet.waitForRun(on: "web-1", after: second.first)
                try fleet.expectAtMostOne()
            }
        }
    }

    /// A restart that a reload asks for keeps its room, however many other jobs wait for it.
    @Test func aRestartKeepsItsRoom() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try edit(node, "max_runs = 1")
            try node.job("job", fleet.workload())
            try node.start()
            let first = try await fleet.waitForRun()
            for name in ["x", "y", "z"] { try node.job(name, fleet.workload()) }
            #expect(try await node.batonctl("reload").code == 0)
            try await node.waitForStatus("no room") { $0.jobs.count { $0.state == .ineligible } == 3 }
            try node.job("job", fleet.workload([], "environment = { A = \"b\" }"))
            #expect(try await node.batonctl("reload").code == 0)
            let second = try await fleet.waitForRun(after: first.last)
            #expect(second.job == "job")
            #expect(try fleet.read().runs().map(\.job) == ["job", "job"])
            // Removed, it leaves its room to another.
            try FileManager.default.removeItem(atPath: node.folder + "/etc/jobs.d/job.toml")
            #expect(try await node.batonctl("reload").code == 0)
            let third = try await fleet.waitFor("another job") { $0.runs().first { $0.job != "job" } }
            #expect(third.first > second.first)
            try expectNoMore(than: ["a": 1], in: try fleet.read())
            try fleet.expectAtMostOne()
        }
    }

    /// By the workloads' own lines: at no time more runs on a node than it may have.
    private func expectNoMore(than limits: [String: Int], in history: History) throws {
        for (node, limit) in limits {
            let runs = history.runs().filter { $0.node == node }
            for run in runs {
                let together = runs.filter { $0.first <= run.first && run.first <= $0.last }
                #expect(together.count <= limit, "\(together)")
            }
        }
    }

    private func edit(_ node: Node, _ line: String) throws {
        let path = node.folder + "/etc/batond.toml"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try text.replacing("[node]\n", with: "[node]\n\(line)\n").write(
            toFile: path, atomically: true, encoding: .utf8)
    }
}
