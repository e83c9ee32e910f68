// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// `batonctl logs`, with real daemons and runs.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LogsTests {
    @Test func followingGoesOnFromRunToRun() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            // The last words come just before the end: they are the ones that are lost if anything is.
            let script = "for i in 1 2 3; do echo $BATON_RUN_ID $i; sleep 0.1; done; printf '%s last' $BATON_RUN_ID"
            try node.job("job", "shell = \"\"\"\(script)\"\"\"")
            try node.start()
            try await node.waitForStatus("running") { $0.jobs.first?.state == .running }
            let follower = try Follower(node, ["logs", "-f", "job", "-n", "1000"])
            defer { follower.end() }
            try await eventually(within: .seconds(30), "four runs") {
                follower.errors.components(separatedBy: " has ended").count > 4
            }
            let begun = follower.errors.split(separator: "\n").filter { $0.hasSuffix("has ended") }.compactMap {
                $0.split(separator: " ").dropFirst(2).first.map(String.init)
            }
            let expected = begun.prefix(4).map { run in
                (1...3).map { "\(run) \($0)\n" }.joined() + "\(run) last"
            }.joined()
            #expect(follower.output.hasPrefix(expected), "\(follower.output)\n\(follower.errors)")
            #expect(follower.errors.contains("has started"))
            // It is the daemon that ends it.
            try await node.stop()
            #expect(try await follower.code() == 69)
            #expect(follower.errors.contains("batond has ended the connection"))
        }
    }

    @Test func runsThatAreOverInNoTimeAreShownToo() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let script = "n=$(cat \(fleet.folder)/n || echo 0); n=$((n + 1)); echo $n > \(fleet.folder)/n; echo run $n"
            try node.job("job", "shell = \"\(script)\"\nrestart.delay = \"300ms\"")
            try node.start()
            try await node.waitForStatus("known") { $0.jobs.first?.lastRun != nil }
            let follower = try Follower(node, ["logs", "-f", "job", "-n", "0"])
            defer { follower.end() }
            try await eventually(within: .seconds(30), "runs") {
                follower.errors.components(separatedBy: " has ended").count > 5
            }
            let numbers = follower.output.split(separator: "\n").map {
                $0.split(separator: " ").last.flatMap { Int($0) } ?? -1
            }
            #expect(numbers.count >= 5)
            #expect(numbers == (0..<numbers.count).map { numbers[0] + $0 }, "\(follower.output)")
        }
    }

    @Test func aFollowerEndsWellWhenNobodyReadsIt() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", "shell = \"echo one; echo two; exec sleep 600\"")
            try node.start()
            try await node.waitForStatus("running") { $0.jobs.first?.state == .running }
            // "head" leaves while there is nothing more to write.
            let pipeline = "timeout 20 \"$0\" logs -f job --socket \"$1\" | head -1; echo ${PIPESTATUS[0]}"
            let (code, output, errors) = try await run(
                "/bin/bash", ["-c", pipeline, Binary.batonctl, node.socket])
            #expect(code == 0)
            #expect(output == "one\n0\n", "\(errors)")
        }
    }

    @Test func aSlowReaderIsToldWhatTheyMissed() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job(
                "job",
                "shell = \"i=0; while :; do seq $i $((i + 999)); i=$((i + 1000)); sleep 0.01; done\"\noutput.to = \"none\""
            )
            try node.start()
            try await node.waitForStatus("running") { $0.jobs.first?.state == .running }
            let follower = try Follower(node, ["logs", "-f", "job", "-n", "0"])
            defer { follower.end() }
            try await eventually("output") { follower.output.contains("\n") }
            kill(follower.pid, SIGSTOP)
            try await Task.sleep(for: .seconds(4))
            let memory = try Self.peak(node.pid)
            kill(follower.pid, SIGCONT)
            try await eventually(within: .seconds(20), "it says so") { follower.errors.contains("bytes were skipped") }
            try await eventually("and goes on") {
                follower.output.utf8.count > 100_000
            }
            // Lines are whole, and grow.
            let numbers = follower.output.split(separator: "\n").dropLast().map { Int($0) ?? -1 }
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
            #expect(try Self.peak(node.pid) - memory < 32 << 10, "the daemon keeps nothing for it")
            #expect(try Self.peak(follower.pid) < 200 << 10)
        }
    }

    @Test func itIsSaidWhereAJobRunsIfNotHere() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", "shell = \"echo from $BATON_NODE; exec sleep 60\"")
                    try node.start()
                    try await node.waitForStatus("known") {
                        $0.jobs.first?.state == (node.name == "a" ? .running : .standby)
                    }
                }
                let logs = try await nodes[1].batonctl("logs", "job")
                #expect(logs.code == 1)
                #expect(logs.errors == "batonctl: job runs on a, and has not run on b: ask there\n")
                let follower = try Follower(nodes[1], ["logs", "-f", "job"])
                defer { follower.end() }
                try await eventually("the note") {
                    follower.errors == "batonctl: job runs on a, and its output is there; waiting for a run on b\n"
                }
                // And there, in time, it is.
                try await nodes[0].stop()
                try await eventually(within: .seconds(20), "output") { follower.output == "from b\n" }
                try nodes[0].start()
                try await nodes[0].waitForStatus("standby") { $0.jobs.first?.state == .standby }
                let old = try await nodes[0].batonctl("logs", "job", "-n", "1")
                #expect(old.code == 0)
                #expect(old.output == "from a\n")
                #expect(old.errors == "batonctl: job runs on b; this is the output of its last run on a\n")
            }
        }
    }

    /// The most memory that a process had, in kB.
    private static func peak(_ pid: Int32) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
        return try #require(line.split(separator: " ").compactMap { Int($0) }.first)
    }
}
