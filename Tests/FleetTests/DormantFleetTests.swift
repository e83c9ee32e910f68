// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Scheduled jobs that have nothing to do have no loop, and nobody notices. The suite of the decisions is
/// `DormantJobsTests`.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DormantFleetTests {
    /// Not during a test, unless on one night in four years.
    private static let rarely = "schedule = '0 0 29 2 *'\noutput.to = 'journal'\n"

    /// How often a loop of the job found nothing to do, by the log.
    private func naps(_ node: Node, _ job: String = "job") throws -> Int {
        try String(contentsOfFile: node.folder + "/log", encoding: .utf8).split(separator: "\n").count {
            $0.contains("heard job=\(job) ") && $0.contains("what=dormant")
        }
    }

    private func waitUntilDormant(_ node: Node, _ job: String = "job", after count: Int = 0) async throws {
        try await eventually(within: .seconds(20), "\(job) is dormant on \(node.name)") { try naps(node, job) > count }
    }

    @Test func aTickFindsItAwake() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let file = TickFile(path: fleet.folder + "/ticks")
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                let due = Int(Date().timeIntervalSince1970) + 29
                let schedule = "schedule = '\(due % 60) \(due / 60 % 60) \(due / 3600 % 24) * * *'"
                for node in nodes {
                    try node.job("job", file.job(schedule))
                    try node.start()
                }
                for node in nodes { try await waitUntilDormant(node) }
                #expect(file.begun().isEmpty)
                let begun = try await fleet.waitFor("the tick", within: .seconds(40)) { _ in file.begun().first }
                let late = Date().timeIntervalSince1970 - Double(due)
                #expect(begun.seconds == due && late < 5, "\(late) s late")
                // Whoever ran it, and who did not, have nothing to do again until tomorrow.
                for node in nodes { try await waitUntilDormant(node, after: 1) }
                #expect(file.begun().count == 1)
            }
        }
    }

    @Test func whateverIsWantedOfItIsHad() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let node = try fleet.node("a")
                let other = try fleet.node("b")
                let place = "[placement]\nnodes = ['a']\n"
                for one in [node, other] {
                    try one.job("job", "shell = 'echo output of $BATON_RUN_ID'\n" + Self.rarely + place)
                    try one.job("changed", "shell = 'exit 1'\n" + Self.rarely)
                    try one.job("gone", "shell = 'exit 1'\n" + Self.rarely)
                    try one.start()
                }
                for job in ["job", "changed", "gone"] { try await waitUntilDormant(node, job) }
                // A follower keeps it awake, and sees a run that is over in a moment.
                let follower = try Follower(node, ["logs", "-f", "job", "-n", "0"])
                defer { follower.end() }
                try await eventually("it follows") { follower.errors.contains("waiting for a run on a") }
                // From a node where it may not run.
                #expect(try await other.batonctl("run", "job", "--wait", "--timeout", "1m").code == 0)
                try await eventually("the run's output") { follower.output.contains("output of ") }
                follower.end()

                // Another definition, and none.
                try node.job("changed", "shell = 'exit 0'\n" + Self.rarely)
                try FileManager.default.removeItem(atPath: node.folder + "/etc/jobs.d/gone.toml")
                let report = try await node.batonctl("reload")
                #expect(report.code == 0, "\(report)")
                try await node.waitForStatus("it is gone") { $0.jobs.map(\.name) == ["changed", "job"] }
                try await waitUntilDormant(node, "changed", after: 1)
                try other.job("changed", "shell = 'exit 0'\n" + Self.rarely)
                #expect(try await other.batonctl("reload").code == 0)
                #expect(try await node.batonctl("run", "changed", "--wait", "--timeout", "1m").code == 0)

                // Nothing starts of one that is paused while nobody looks; and it is known when somebody asks.
                #expect(try await other.batonctl("pause", "job").code == 0)
                try await node.waitForStatus("paused") { $0.jobs.first { $0.name == "job" }?.state == .paused }
                #expect(try await node.batonctl("run", "job").code == 1)
                #expect(try await other.batonctl("resume", "job").code == 0)
                #expect(try await node.batonctl("run", "job", "--wait", "--timeout", "1m").code == 0)
                let began = BootClock.now()
                for one in [node, other] { try await one.stop() }
                #expect(BootClock.now() - began < .seconds(10))
            }
        }
    }

    /// Each connection that is made anew has each of them look, and none of them sleeps for ever.
    @Test func aServerThatWasAwayWakesAll() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let node = try fleet.node("a")
                for number in 0..<100 { try node.job("job\(number)", "shell = 'exit 0'\n" + Self.rarely) }
                try node.start()
                for number in [0, 50, 99] { try await waitUntilDormant(node, "job\(number)") }
                let before = try naps(node, "job99")
                server.end()
                try await node.waitForStatus("it is away") { $0.store.state != "connected" }
                try await server.start()
                for number in [0, 50] { try await waitUntilDormant(node, "job\(number)", after: 1) }
                try await waitUntilDormant(node, "job99", after: before)
                #expect(try await node.batonctl("run", "job70", "--wait", "--timeout", "1m").code == 0)
            }
        }
    }
}
