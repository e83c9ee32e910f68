// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

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

    /// A store that forgot is told what this node remembers of each job before it elects anybody, also of those that are
    /// dormant (rules S7 and S8), and can't be woken.
    @Test(arguments: [false, true]) func aStoreThatForgotIsToldOfAll(isFull: Bool) async throws {
        try await withServer { server in
            try await withFleet(server: server, timeout: .seconds(6)) { fleet in
                let node = try fleet.node("a")
                if isFull { try limitRuns(node) }
                let count = 100
                for number in 0..<count { try node.job("job\(number)", "shell = 'exit 0'\n" + Self.rarely) }
                try node.start()
                for number in 0..<count { try await waitUntilDormant(node, "job\(number)") }
                if isFull { try await fill(node, jobs: count) }
                try await server.restart(keepingData: false)
                let back = BootClock.now()
                try await eventually(within: .seconds(5), "all floors are told") {
                    try floors(server) == count
                }
                #expect(BootClock.now() - back < fleet.timeout)
            }
        }
    }

    /// It takes one run.
    private func limitRuns(_ node: Node) throws {
        let path = node.folder + "/etc/batond.toml"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try text.replacing("[node]\n", with: "[node]\nmax_runs = 1\n")
            .write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// That one is a service.
    private func fill(_ node: Node, jobs count: Int) async throws {
        try node.job("service", "shell = 'sleep 1000'\noutput.to = 'journal'\n")
        #expect(try await node.batonctl("reload").code == 0)
        try await node.waitForStatus("the node is full") { status in
            status.jobs.count { $0.state == .ineligible && $0.reason?.contains("max_runs") == true } == count
        }
    }

    /// So many ledgers have a floor that somebody told the store of.
    private func floors(_ server: TestServer) throws -> Int {
        let connection = try RawConnection(socket: server.socket)
        return try (connection.ask("KEYS", "*").elements ?? []).compactMap(\.bytes).count { key in
            let floor = try connection.ask([Array("HGET".utf8), key, Array("floor".utf8)])
            if case .error = floor { return false }
            return floor.bytes?.isEmpty == false
        }
    }

    /// A mark that was set while a node was down is on its disk soon after its start (rule S3).
    @Test func marksThatStandAtTheStartAreRemembered() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    for number in 10..<90 { try node.job("job\(number)", "shell = 'exit 0'\n" + Self.rarely) }
                }
                try nodes[0].start()
                try await nodes[0].waitForStatus("up") { $0.store.state == "connected" }
                let marked = ["job10", "job30", "job50", "job70", "job89"]
                for job in marked { #expect(try await nodes[0].batonctl("pause", job).code == 0) }
                try nodes[1].start()
                try await eventually(within: .seconds(20), "the marks are known") {
                    ((try? FileManager.default.contentsOfDirectory(atPath: nodes[1].folder + "/state/marks")) ?? [])
                        .sorted()
                        == marked
                }
            }
        }
    }

    @Test func aNodeThatIsFullOrHasNoStoreSaysSoOfEach() async throws {
        try await withServer { server in
            server.end()
            try await withFleet(server: server) { fleet in
                let node = try fleet.node("a")
                try limitRuns(node)
                for number in 10..<90 { try node.job("job\(number)", "shell = 'exit 0'\n" + Self.rarely) }
                try node.start()
                try await node.waitForStatus("all wait for the store") { status in
                    status.jobs.count { $0.state == .waitingForStore && $0.reason != nil } == 80
                }
                try await server.start()
                try await node.waitForStatus("all stand by") { $0.jobs.allSatisfy { $0.state == .standby } }
                try await fill(node, jobs: 80)
                // What is asked for meanwhile is not forgotten.
                #expect(try await node.batonctl("run", "job10").code == 0)
                #expect(try await node.status().jobs.first { $0.name == "job10" }?.lastRun == nil)
                #expect(try await node.batonctl("stop", "service").code == 0)
                try await node.waitForStatus("it has run") { $0.jobs.first { $0.name == "job10" }?.lastRun != nil }
                try await node.waitForStatus("it has room") { status in
                    status.jobs.count { $0.state == .standby && $0.reason == nil } == 80
                }
            }
        }
    }

    /// Jobs that only have a missed tick to be noted, in a store that was restarted with its data, and one that is due.
    @Test(.enabled(if: TestLength.isLong)) func jobsThatCannotSettleYetDoNotKeepOthersFromLooking() async throws {
        try await withServer(.init(appendOnly: true)) { server in
            try await withFleet(server: server) { fleet in
                let file = TickFile(path: fleet.folder + "/ticks")
                let node = try fleet.node("a")
                let due = Int(Date().timeIntervalSince1970) + 35
                let schedule = "schedule = '\(due % 60) \(due / 60 % 60) \(due / 3600 % 24) * * *'\ncatch_up = 'none'\n"
                for number in 0..<40 {
                    try node.job("a\(number)", "shell = 'exit 0'\noutput.to = 'journal'\n" + schedule)
                }
                try node.job("z", file.job("every = \"10s\""))
                try node.start()
                try await fleet.waitFor("z", within: .seconds(25)) { _ in file.begun("z").first }
                try await node.stop()
                #expect(Int(Date().timeIntervalSince1970) < due)
                try await eventually(within: .seconds(60), "its time has passed") {
                    Int(Date().timeIntervalSince1970) >= due + 8
                }
                try await server.restart(keepingData: true)
                let count = file.begun("z").count
                try node.start()
                try await fleet.waitFor("z again", within: .seconds(60)) { _ in
                    file.begun("z").count >= count + 2 ? true : nil
                }
            }
        }
    }

    /// That nobody gave a lock back is learned over more than one tick, if each may start only for a moment.
    @Test(.enabled(if: TestLength.isLong)) func aLockThatNobodyGaveBackIsTakenOverInSpiteOfAShortDeadline() async throws
    {
        try await withServer { server in
            try await withFleet(server: server, timeout: .seconds(8)) { fleet in
                let file = TickFile(path: fleet.folder + "/ticks")
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", file.job("every = \"30s\"\nstart_deadline = \"3s\"", doing: "sleep 25"))
                    try node.start()
                }
                let first = try await fleet.waitFor("a run", within: .seconds(60)) { _ in file.begun().first }
                let lost = try #require(nodes.first { $0.name == first.node })
                // The other one has seen the holder by then.
                try await Task.sleep(for: .seconds(4))
                for pid in Processes.mentioning(lost.folder) { kill(pid, SIGKILL) }
                try await fleet.waitFor("another tick's run", within: .seconds(125)) { _ in
                    file.begun().dropFirst().first
                }
            }
        }
    }
}
