// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Jobs with a schedule, with real nodes: each tick once. The suites of the decisions are `TickPlannerTests`,
/// `TickMachineTests` and `TickWalkTests`.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ScheduleFleetTests {
    private func withNodes(
        _ names: String..., server options: TestServer.Options = .init(),
        _ body: (Fleet, [Node], TickFile, TestServer) async throws -> Void
    ) async throws {
        try await withServer(options) { server in
            try await withFleet(server: server) { fleet in
                let nodes = try names.map { try fleet.node($0) }
                try await body(fleet, nodes, TickFile(path: fleet.folder + "/ticks"), server)
            }
        }
    }

    /// Each tick from the first to the last has exactly one run.
    private func expectEachOnce(_ lines: [TickFile.Line], every period: Int = 1) {
        let ticks = lines.map(\.seconds)
        #expect(ticks == Array(Set(ticks)).sorted(), "a tick twice, or in another order")
        guard let first = ticks.first, let last = ticks.last else { return }
        #expect(ticks == Array(stride(from: first, through: last, by: period)), "a tick without a run")
        #expect(lines.allSatisfy { $0.attempt == 1 })
    }

    /// On five nodes whose wall clocks are wrong, one of them by a day.
    @Test func everyTickOfAQuickJobHasOneRun() async throws {
        try await withNodes("a", "b", "c", "d", "e") { fleet, nodes, file, _ in
            try await WrongClock.buildShim(in: fleet.folder)
            for (node, ahead) in zip(nodes, [0, 30, -30, 7, 86_400] as [Int64]) {
                let clock = try WrongClock(name: node.name, folder: fleet.folder)
                try clock.step(to: ahead)
                node.environment = clock.environment()
                try node.job("job", file.job("every = \"1s\""))
                try node.start()
            }
            let count = TestLength.isLong ? 60 : 15
            try await fleet.waitFor("\(count) ticks", within: .seconds(Int64(count) * 2 + 30)) { _ in
                file.begun().count >= count ? true : nil
            }
            expectEachOnce(file.begun())
        }
    }

    @Test func threeTicksThatNoNodeWasUpFor() async throws {
        try await withNodes("a") { fleet, nodes, file, _ in
            for rule in ["none", "last", "all"] {
                try nodes[0].job(rule, file.job("every = \"2s\"\ncatch_up = \"\(rule)\""))
            }
            try nodes[0].start()
            try await fleet.waitFor("each runs") { _ in
                ["none", "last", "all"].allSatisfy { !file.begun($0).isEmpty } ? true : nil
            }
            try await nodes[0].stop()
            let before = ["none", "last", "all"].map { file.begun($0).last?.seconds ?? 0 }
            let since = BootClock.now()
            try await eventually(within: .seconds(30), "three ticks have gone by") {
                BootClock.now() - since > .milliseconds(7500)
            }
            #expect(["none", "last", "all"].map { file.begun($0).last?.seconds ?? 0 } == before)
            let up = Int(Date().timeIntervalSince1970)
            try nodes[0].start()
            // A tick that is due after the start shows that those before it were dealt with.
            try await fleet.waitFor("the next ticks", within: .seconds(30)) { _ in
                ["none", "last", "all"].allSatisfy { (file.begun($0).last?.seconds ?? 0) > up } ? true : nil
            }
            func caughtUp(_ job: String, _ last: Int) -> [Int] {
                file.begun(job).map(\.seconds).filter { $0 > last && $0 <= up }
            }
            #expect(caughtUp("none", before[0]).count <= 1, "only one that was due in the grace of a start")
            #expect(caughtUp("last", before[1]).count == 1)
            expectEachOnce(file.begun("all"), every: 2)
        }
    }

    /// Daemon, keeper and guard are gone at once, as when a machine loses its power.
    @Test func aTickWhoseRunnerIsLostIsTriedAgainElsewhere() async throws {
        try await withNodes("a", "b") { fleet, nodes, file, _ in
            let rules = "every = \"8s\"\n[retry]\nattempts = 3\ndelay = \"500ms\""
            for node in nodes { try node.job("job", file.job(rules, doing: "sleep 3")) }
            for node in nodes { try node.start() }
            let first = try await fleet.waitFor("a run") { _ in file.begun().first }
            let lost = try #require(nodes.first { $0.name == first.node })
            for pid in Processes.mentioning(lost.folder) { kill(pid, SIGKILL) }
            let second = try await fleet.waitFor("another attempt") { _ in file.begun().dropFirst().first }
            #expect(second.tick == first.tick && second.attempt == 2 && second.node != first.node)
            try await fleet.waitFor("it ends") { _ in file.lines(of: "job", "end").first { $0.attempt == 2 } }
            #expect(file.begun().count == 2)
        }
    }

    @Test(arguments: ["skip", "queue", "replace"])
    func aTickThatIsDueWhileTheLastRunGoesOn(overlap: String) async throws {
        try await withNodes("a", "b") { fleet, nodes, file, _ in
            let rules = "every = \"2s\"\noverlap = \"\(overlap)\"\nstop.timeout = \"500ms\""
            for node in nodes { try node.job("job", file.job(rules, doing: "sleep 5")) }
            for node in nodes { try node.start() }
            try await fleet.waitFor("three runs", within: .seconds(40)) { _ in file.begun().count >= 3 ? true : nil }
            let ticks = file.begun().map(\.seconds)
            #expect(ticks == Array(Set(ticks)).sorted())
            let runs = file.lines()
            switch overlap {
            case "replace":
                #expect(ticks.prefix(3).elementsEqual(stride(from: ticks[0], through: ticks[0] + 4, by: 2)))
                #expect(runs.allSatisfy { $0.event == "begin" }, "none of them comes to its end")
            default:
                // Never two at a time, whoever runs them.
                for (line, next) in zip(runs, runs.dropFirst()) where next.event == "begin" {
                    #expect(line.event == "end")
                }
                // A tick that waited is run late; one that was skipped is not.
                #expect(overlap == "skip" ? ticks[1] - ticks[0] == 6 : ticks[1] - ticks[0] == 4)
            }
        }
    }

    @Test func aStoreThatForgetsMakesNoTickRunTwice() async throws {
        try await withNodes("a", "b") { fleet, nodes, file, server in
            for node in nodes { try node.job("job", file.job("every = \"1s\"", doing: "sleep 0.3")) }
            for node in nodes { try node.start() }
            try await fleet.waitFor("some ticks") { _ in file.begun().count >= 3 ? true : nil }
            for round in 1...2 {
                let count = file.begun().count
                // The second time in the middle of a run.
                if round == 2 {
                    try await fleet.waitFor("a run begins") { _ in file.begun().count > count ? true : nil }
                }
                let connection = try RawConnection(socket: server.socket)
                _ = try connection.ask("FLUSHALL")
                try await fleet.waitFor("it goes on", within: .seconds(30)) { _ in
                    file.begun().count >= count + 4 ? true : nil
                }
            }
            let ticks = file.begun().map(\.seconds)
            #expect(ticks == Array(Set(ticks)).sorted(), "no tick twice")
        }
    }

    /// The next daemon tells the store how the run ended, and nobody runs the tick again.
    @Test func aRunThatOutlivesItsDaemonIsOneRun() async throws {
        try await withNodes("a", "b") { fleet, nodes, file, _ in
            let rules = "every = \"5s\"\n[retry]\nattempts = 3\ndelay = \"100ms\""
            for node in nodes { try node.job("job", file.job(rules, doing: "sleep 2")) }
            for node in nodes { try node.start() }
            let first = try await fleet.waitFor("a run") { _ in file.begun().first }
            let node = try #require(nodes.first { $0.name == first.node })
            try await node.crash()
            try node.start()
            try await fleet.waitFor("the next tick's run ends", within: .seconds(30)) { _ in
                file.lines(of: "job", "end").first { $0.seconds > first.seconds }
            }
            expectEachOnce(file.begun(), every: 5)
            #expect(file.lines(of: "job", "end").first { $0.run == first.run } != nil)
        }
    }
}
