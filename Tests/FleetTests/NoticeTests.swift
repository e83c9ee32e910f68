// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Glibc
import Testing

@testable import BatonTestSupport

/// `[notify]` and `batonctl events`, with real daemons and runs.
@Suite(.serialized, .timeLimit(.minutes(5))) struct NoticeTests {
    /// A command that keeps what it is given.
    private func keeper(_ fleet: Fleet) -> String { "cat >> \(fleet.folder)/notices; echo $BATON_EVENT told; id -un" }

    private func notices(_ fleet: Fleet) -> [NodeEvent] {
        let text = (try? String(contentsOfFile: fleet.folder + "/notices", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap { try? JSONDecoder().decode(NodeEvent.self, from: Data($0.utf8)) }
    }

    private func events(_ node: Node, _ arguments: String...) async throws -> [NodeEvent] {
        let (code, output, errors) = try await run(
            Binary.batonctl, ["events", "-n", "1000", "--json", "--socket", node.socket] + arguments)
        guard code == 0 else { throw TestFailure("batonctl events: \(code) \(errors)") }
        return try output.split(separator: "\n").map { try JSONDecoder().decode(NodeEvent.self, from: Data($0.utf8)) }
    }

    private func log(_ node: Node) -> String {
        (try? String(contentsOfFile: node.folder + "/log", encoding: .utf8)) ?? ""
    }

    @Test func eachFailedRunIsToldOnceWithItsEvent() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job(
                "job",
                "shell = 'exit 3'\nevery = '1s'\noutput.to = 'none'\n[notify]\nshell = '\(keeper(fleet))'\non = ['failed']\n"
            )
            try node.job("fine", "shell = 'exit 0'\nevery = '1s'\n[notify]\nshell = '\(keeper(fleet))'\n")
            try node.start()
            try await eventually(within: .seconds(60), "four notices") { notices(fleet).count >= 4 }
            try await node.stop()
            let told = notices(fleet)
            #expect(told.allSatisfy { $0.kind == .runFailed && $0.job == "job" && $0.node == "a" })
            #expect(Set(told.compactMap { $0.fields["run_id"] }).count == told.count, "each run once")
            let first = try #require(told.first)
            #expect(first.fields["exit_code"] == "3" && first.fields["outcome"] == "failed")
            #expect(first.fields["tick"]?.hasSuffix("Z") == true && first.fields["attempt"] == "1")
            // Each run that failed was told of, to the last one before the stop.
            let failed = log(node).split(separator: "\n").count {
                $0.contains("run ended") && $0.contains("outcome=failed")
            }
            #expect(failed == told.count)
            #expect(log(node).contains("line=\"run-failed told\""))
            #expect(log(node).contains("line=\(String(cString: getpwuid(geteuid()).pointee.pw_name))\n"))
        }
    }

    @Test(.needsRoot) func itRunsAsTheJobsUserInItsFolder() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let say = "id -un; id -Gn; pwd; env | sort; ls -l /proc/self/fd/0 | wc -l"
            let rest =
                "user = 'nobody'\nworking_directory = '/usr'\nenvironment = { COLOUR = 'red' }\nrestart.policy = 'never'"
            try node.job("job", "shell = 'kill -9 $$'\n\(rest)\n[notify]\nshell = '\(say)'\n")
            try node.start()
            try await eventually(within: .seconds(30), "it has spoken") { log(node).contains("line=USER=nobody") }
            let said = log(node).split(separator: "\n").compactMap { $0.split(separator: " line=").dropFirst().first }
            #expect(said.first == "nobody")
            #expect(said.contains("/usr") && said.contains("COLOUR=red") && said.contains("HOME=/nonexistent"))
            #expect(said.contains("BATON_EVENT=run-failed") && said.contains("BATON_JOB=job"))
            // Whoever has that in its environment is taken for a part of the run.
            #expect(!said.contains { $0.hasPrefix("BATON_RUN_ID") || $0.hasPrefix("NOTIFY_SOCKET") })
        }
    }

    /// Two nodes that come up at the same time settle the same ticks, and one of them has it done.
    @Test func missedTicksAreToldOnceOfAllNodes() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                // What was missed is settled at once.
                let rules = "every = '6s'\ncatch_up = 'all'\nstart_deadline = '2s'\noutput.to = 'none'\n"
                for node in nodes {
                    try node.job("job", "shell = 'true'\n\(rules)[notify]\nshell = '\(keeper(fleet))'\n")
                    try node.start()
                }
                try await eventually(within: .seconds(40), "a run") { await hasEndedARun(nodes) }
                for node in nodes { try await node.stop() }
                let since = BootClock.now()
                try await eventually(within: .seconds(60), "ticks go by") { BootClock.now() - since > .seconds(15) }
                for node in nodes { try node.start() }
                // Until another tick has been run, somebody else could still tell.
                try await eventually(within: .seconds(60), "the next run") { await hasEndedARun(nodes) }
                var missed: [NodeEvent] = []
                for node in nodes { missed += try await events(node).filter { $0.kind == .ticksMissed } }
                let lasts = missed.compactMap { $0.fields["last_tick"] }
                #expect(!lasts.isEmpty && Set(lasts).count == lasts.count, "no tick twice: \(missed)")
                let most = try #require(missed.max { Self.count($0) < Self.count($1) })
                #expect(Self.count(most) >= 2 && most.level == "warning")
                try await eventually(within: .seconds(20), "they are told") {
                    missed.allSatisfy { event in
                        notices(fleet).count { $0.id == event.id && $0.node == event.node } == 1
                    }
                }
                // The history has it from the same node.
                let history = try await nodes[0].batonctl("history", "job", "--json", "-n", "100").output
                #expect(history.contains("\"noted_by\": \"\(most.node)\""))
            }
        }
    }

    private static func count(_ event: NodeEvent) -> Int { event.fields["count"].flatMap { Int($0) } ?? 0 }

    @Test func aCommandThatHangsIsKilledAndIsNoFailureOfTheJob() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let hang = "echo $$ > \(fleet.folder)/hanging; sleep 600"
            try node.job(
                "job", "shell = 'exit 3'\nrestart.policy = 'never'\n[notify]\nshell = '\(hang)'\n")
            try node.start()
            try await eventually(within: .seconds(30), "it hangs") { pid(fleet) != nil }
            // The lock is free, the loop goes on.
            try await node.waitForStatus("the job goes on") {
                $0.jobs.first?.lastRun != nil && $0.jobs.first?.run == nil
            }
            try await eventually(within: .seconds(60), "it is killed") {
                try await events(node, "job").contains {
                    $0.kind == .notifyFailed && $0.fields["reason"]?.contains("longer than 30 s") == true
                }
            }
            let hung = try #require(pid(fleet))
            #expect(kill(hung, 0) != 0)
            #expect(try await events(node).count { $0.kind == .notifyFailed } == 1)
        }
    }

    @Test func nothingIsLeftBehindByAStop() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let hang = "echo $$ > \(fleet.folder)/hanging; sleep 600 & wait"
            try node.job("job", "shell = 'exit 3'\nrestart.policy = 'never'\n[notify]\nshell = '\(hang)'\n")
            try node.start()
            try await eventually(within: .seconds(30), "it hangs") { pid(fleet) != nil }
            let begun = BootClock.now()
            try await node.stop()
            #expect(BootClock.now() - begun < .seconds(15))
            #expect(Processes.mentioning(fleet.folder).isEmpty)
            #expect(log(node).contains("batond stops, and killed it"))
        }
    }

    @Test func aChangedCommandCountsAtOnceAndRestartsNothing() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            func job(_ notify: String) -> String { "shell = 'sleep 600'\n[notify]\nshell = '\(notify)'\n" }
            try node.job("job", job("echo old"))
            try node.start()
            try await node.waitForStatus("running") { $0.jobs.first?.state == .running }
            let run = try #require(try await node.status().jobs.first?.run)
            try node.job("job", job("echo new"))
            #expect(try await node.batonctl("reload").code == 0)
            #expect(try await node.status().jobs.first?.run?.runID == run.runID)
            kill(try #require(run.pid), SIGKILL)
            try await eventually(within: .seconds(30), "it is told") { log(node).contains("line=new") }
            #expect(!log(node).contains("line=old"))
        }
    }

    private func hasEndedARun(_ nodes: [Node]) async -> Bool {
        for node in nodes {
            // It may not be up yet.
            if let events = try? await events(node), events.contains(where: { $0.kind == .runEnded }) { return true }
        }
        return false
    }

    private func pid(_ fleet: Fleet) -> Int32? {
        let text = try? String(contentsOfFile: fleet.folder + "/hanging", encoding: .utf8)
        return text.flatMap { Int32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }
}
