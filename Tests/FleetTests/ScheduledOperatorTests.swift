// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What an operator sees of jobs with a schedule, and does with them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ScheduledOperatorTests {
    /// Not during a test, unless on one night in four years.
    private static let rarely = "schedule = '0 0 29 2 *'\n"

    private func history(_ node: Node, _ job: String = "job", _ more: String...) async throws -> HistoryReport {
        let result = try await run(
            Binary.batonctl, ["history", job, "--json", "-n", "100", "--socket", node.socket] + more)
        guard result.0 == 0 else { throw TestFailure("batonctl history on \(node.name): \(result)") }
        return try JSONDecoder().decode(HistoryReport.self, from: Data(result.1.utf8))
    }

    private func waitForHistory(_ node: Node, _ condition: (HistoryReport) -> Bool) async throws -> HistoryReport {
        let deadline = BootClock.now() + .seconds(30)
        while BootClock.now() < deadline {
            // It may not be up yet.
            if let report = try? await history(node), condition(report) { return report }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw TestFailure("waited in vain for a history: \(try await history(node))")
    }

    private func waitUntilUp(_ nodes: [Node]) async throws {
        for node in nodes {
            try await node.waitForStatus("it knows the ledger") { $0.jobs.allSatisfy { $0.ledger != nil } }
        }
    }

    @Test func theHistoryIsTheSameOnEveryNode() async throws {
        try await withFleet { fleet in
            let nodes = try ["a", "b"].map { try fleet.node($0) }
            for node in nodes {
                let command = #"shell = 'printf "tick\033[31m\n"; exit 3'"#
                try node.job("job", command + "\nevery = '1s'\noutput.to = 'none'\n")
                try node.start()
            }
            try await waitUntilUp(nodes)
            _ = try await waitForHistory(nodes[0]) { $0.runs.count { $0.outcome == "failed" } >= 3 }
            // The same lines, whoever is asked: those that both have seen.
            let (one, other) = (try await history(nodes[0]).runs, try await history(nodes[1]).runs)
            let ended = one.filter { $0.outcome == "failed" }
            #expect(Set(ended.map(\.fence)).isSubset(of: other.map(\.fence)))
            for line in ended {
                #expect(line.exitCode == 3 && line.attempt == 1 && line.isManual == false && line.output == nil)
                #expect(["a", "b"].contains(line.node) && line.started != nil && line.finished != nil)
            }
            // With the newest first, each tick once.
            #expect(zip(ended, ended.dropFirst()).allSatisfy { $0.tick > $1.tick && ($0.fence ?? 0) > ($1.fence ?? 0) })
            let output = try await history(nodes[1], "job", "--output").runs.compactMap(\.output)
            #expect(output.first == "tick\u{1b}[31m\n")
            let text = try await nodes[1].batonctl("history", "job", "--output").output
            #expect(text.contains("    | tick\\x1b[31m\n") && text.contains("failed (exit code 3)"), "\(text)")

            let job = try #require(try await nodes[0].status().jobs.first)
            #expect(job.kind == "scheduled" && job.nextTick?.hasSuffix("Z") == true && job.ledger?.run != nil)
            let detail = try await nodes[0].batonctl("status", "job").output
            #expect(detail.contains("next tick") && detail.contains("kind      scheduled"), "\(detail)")
            let next = try await nodes[0].batonctl("next", "job", "-n", "3")
            #expect(next.code == 0 && next.output.hasPrefix("job: every 1s (UTC)\n"), "\(next)")
        }
    }

    @Test func aRunThatIsAskedForPassesItsCodeOn() async throws {
        try await withFleet { fleet in
            let nodes = try ["a", "b"].map { try fleet.node($0) }
            for node in nodes {
                // Only one of them may run it: it need not be the one that is asked.
                let place = "[output]\nto = \"none\"\n[placement]\nnodes = [\"b\"]\n"
                try node.job("code", "shell = 'exit 42'\n" + Self.rarely + place)
                try node.job("fine", "shell = 'echo $BATON_JOB'\n" + Self.rarely + place)
                try node.job("killed", "shell = 'kill -9 $$'\n" + Self.rarely + place)
                try node.job("long", "shell = 'sleep 600'\n" + Self.rarely + place)
                try node.start()
            }
            try await waitUntilUp(nodes)
            let node = nodes[0]
            let code = try await node.batonctl("run", "code", "--wait", "--timeout", "1m")
            #expect(code.code == 42 && code.output == "code: failed (exit code 42) on b\n", "\(code)")
            let fine = try await node.batonctl("run", "fine", "--wait", "--json", "--timeout", "1m")
            #expect(fine.code == 0, "\(fine)")
            let report = try JSONDecoder().decode(RequestReport.self, from: Data(fine.output.utf8))
            #expect(report.state == .ended && report.run?.outcome == "succeeded" && report.run?.isManual == true)
            #expect((report.run?.fence ?? 0) > report.id)
            #expect(try await node.batonctl("run", "killed", "--wait", "--timeout", "1m").code == 137)
            // A second time is another run.
            #expect(try await node.batonctl("run", "code", "--wait", "--timeout", "1m").code == 42)
            #expect(try await history(node, "code").runs.map(\.outcome) == ["failed", "failed"])

            let long = try await node.batonctl("run", "long", "--wait", "--timeout", "2s")
            #expect(long.code == 1 && long.errors.contains("the time is up: the run goes on"), "\(long)")
            #expect(try await history(node, "long").runs.map(\.outcome) == ["running"])
            #expect(try await node.batonctl("stop", "long").code == 0)
            let held = try await node.batonctl("run", "code", "--wait", "--timeout", "1m")
            #expect(held.code == 42)
        }
    }

    @Test func whoWaitsDoesNotNoticeThatBatondIsStartedAnew() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload(["--exit-after", "4000", "--exit-code", "9"], Self.rarely))
            try node.start()
            try await waitUntilUp([node])
            async let end = node.batonctl("run", "job", "--wait", "--timeout", "1m")
            let run = try await fleet.waitForRun()
            try await node.crash()
            try node.start()
            #expect(try await end.code == 9)
            #expect(try fleet.read().runs().map(\.id) == [run.id])
            #expect(try await history(node).runs.map(\.runID) == [run.id])
        }
    }

    @Test func oneThatIsHeldDownIsLetGo() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", "shell = 'exit 7'\n" + Self.rarely)
            try node.start()
            try await waitUntilUp([node])
            #expect(try await node.batonctl("pause", "job").code == 0)
            #expect(try await node.batonctl("run", "job").code == 1)
            #expect(try await node.batonctl("resume", "job").code == 0)
            #expect(try await node.batonctl("run", "job", "--wait", "--timeout", "1m").code == 7)
            let idle = try await node.batonctl("stop", "job")
            #expect(
                idle.code == 0
                    && idle.output == "job does not run now; \"batonctl pause\" keeps it from being started\n",
                "\(idle)")
        }
    }

    @Test func aRunIsStoppedWhereverItIsAndTheNextTicksRun() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    let retry = "retry = { attempts = 3, delay = '100ms' }\n"
                    try node.job("job", fleet.workload([], "every = '2s'\n" + retry))
                    try node.start()
                }
                let run = try await fleet.waitForRun()
                let (holder, other) = run.node == "a" ? (nodes[0], nodes[1]) : (nodes[1], nodes[0])
                let stopped = try await other.batonctl("stop", "job")
                #expect(stopped.output.hasPrefix("the run of job on \(holder.name) is being stopped"), "\(stopped)")
                let next = try await fleet.waitForRun(after: run.last)
                #expect(next.fence > run.fence)
                let lines = try await waitForHistory(other) { report in
                    report.runs.contains { $0.runID == run.id && $0.outcome == "stopped" }
                }.runs
                let tick = lines.first { $0.runID == run.id }?.tick
                #expect(lines.filter { $0.tick == tick }.count == 1, "a stopped run is not tried again")

                // Of a job that is paused, nothing starts afterwards either.
                #expect(try await other.batonctl("pause", "job").code == 0)
                let report = try await holder.batonctl("stop", "job", "--json")
                #expect(report.output.contains("\"held_down\" : true") || report.output.contains("\"held_down\": true"))
                for node in nodes { try await node.waitForStatus("held down") { $0.jobs.first?.state == .heldDown } }
                let count = try fleet.read().runs().count
                try await Task.sleep(for: .seconds(5))
                #expect(try fleet.read().runs().count == count)
                // The tick that the pause kept may start before the command is back.
                let asked = BootClock.now()
                #expect(try await other.batonctl("resume", "job").code == 0)
                _ = try await fleet.waitForRun(after: asked)
                try fleet.expectAtMostOne()
            }
        }
    }

    /// From a node that did not run it.
    @Test func whatWouldBeTriedAgainIsGivenUp() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    let rules =
                        "every = '12s'\nretry = { attempts = 3, delay = '4s', elsewhere = false }\noutput.to = 'none'\n"
                    try node.job("job", "shell = 'exit 3'\n" + rules)
                    try node.start()
                }
                try await waitUntilUp(nodes)
                // The first attempt at a tick has just failed.
                let first = try await waitForHistory(nodes[0]) {
                    $0.runs.first.map { $0.outcome == "failed" && $0.attempt == 1 } ?? false
                }
                let run = try #require(first.runs.first)
                let other = run.node == "a" ? nodes[1] : nodes[0]
                let stopped = try await other.batonctl("stop", "job")
                #expect(stopped.code == 0 && stopped.output.contains("is not tried again"), "\(stopped)")
                let again = try await other.batonctl("stop", "job", "--json")
                #expect(again.code == 0 && !again.output.contains("given_up"), "\(again)")
                let later = try await waitForHistory(nodes[0]) { $0.runs.first.map { $0.tick > run.tick } == true }.runs
                #expect(later.filter { $0.tick == run.tick }.map(\.attempt) == [1])
                // The tick after it is tried again as ever.
                _ = try await waitForHistory(nodes[0]) { $0.runs.first?.attempt == 2 }
            }
        }
    }

    @Test func whatCannotBeDoneHasItsReason() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let node = try fleet.node("a")
                try node.job("service", fleet.workload())
                try node.job("job", "shell = 'true'\n" + Self.rarely)
                try node.job("bad", "shell = 'true'\nschedule = '61 * * * *'\n")
                try node.start()
                try await node.waitForStatus("it knows the ledger") { $0.jobs.contains { $0.ledger != nil } }
                func expect(_ code: Int32, _ reason: String, _ arguments: String...) async throws {
                    let result = try await run(Binary.batonctl, arguments + ["--socket", node.socket])
                    #expect(result.0 == code && result.1.isEmpty, "\(arguments): \(result)")
                    #expect(result.2.contains(reason), "\(arguments): \(result.2)")
                }
                for verb in ["history", "next", "run"] {
                    try await expect(1, "no job \"jop\" on this node; did you mean \"job\"?", verb, "jop")
                    try await expect(1, "the file of bad is invalid", verb, "bad")
                }
                try await expect(1, "it is kept running, and it has no history", "history", "service")
                try await expect(1, "it is kept running, and it has no ticks", "next", "service")
                try await expect(1, "there is no end to wait for", "run", "service", "--wait")

                server.end()
                try await expect(69, "the store can't be reached", "history", "job")
                try await expect(69, "the store can't be reached", "run", "job")
                // The schedule is in the file.
                #expect(try await node.batonctl("next", "job").code == 0)
                try await node.stop()
                for verb in ["history", "next", "run"] {
                    try await expect(69, "batond is not running here", verb, "job")
                }
            }
        }
    }
}
