// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What an operator does with batonctl, and what a job's own end leads to.
@Suite(.serialized, .timeLimit(.minutes(5))) struct OperatorTests {
    @Test func stopHoldsAJobDownEverywhereUntilRun() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload())
                    try node.start()
                }
                let run = try await fleet.waitForRun()
                let other = try #require(nodes.first { $0.name != run.node })
                let (code, _, errors) = try await other.batonctl("stop", "job")
                #expect(code == 0, "\(errors)")
                for node in nodes {
                    try await node.waitForStatus("held down") { $0.jobs.first?.state == .heldDown }
                }
                #expect(try fleet.read().lines.contains { $0.run == run.id && $0.event == "term" })
                try await Task.sleep(for: fleet.timeout)
                #expect(try fleet.read().runs().count == 1)
                #expect(try await other.batonctl("run", "job").code == 0)
                let next = try await fleet.waitForRun(after: run.last)
                #expect(next.fence > run.fence)
                try fleet.expectAtMostOne()
            }
        }
    }

    @Test func aJobThatIsDoneIsNotStartedAgainAnywhere() async throws {
        try await withFleet { fleet in
            let nodes = try ["a", "b"].map { try fleet.node($0) }
            for node in nodes {
                try node.job("job", fleet.workload(["--exit-after", "50"], "restart.policy = \"on-failure\""))
                try node.start()
            }
            for node in nodes {
                try await node.waitForStatus("finished") { $0.jobs.first?.state == .finished }
            }
            #expect(try fleet.read().runs().count == 1)
            #expect(try await nodes[0].batonctl("run", "job").code == 0)
            try await fleet.waitFor("a second run") { $0.runs().count == 2 ? () : nil }
            try fleet.expectAtMostOne()
        }
    }

    @Test func aFailingJobIsSlowedDownForTheWholeFleet() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b", "c"].map { try fleet.node($0) }
                for node in nodes {
                    let restart = "[restart]\ndelay = \"400ms\""
                    try node.job("job", fleet.workload(["--exit-after", "20", "--exit-code", "3"], restart))
                    try node.start()
                }
                let runs = try await fleet.waitFor("four runs") { $0.runs().count >= 4 ? $0.runs() : nil }
                let pauses = zip(runs, runs.dropFirst()).map { $1.first - $0.last }
                #expect(pauses[0] >= .milliseconds(390))
                #expect(pauses[1] >= .milliseconds(790))
                #expect(pauses[2] >= .milliseconds(1590))
                let last = try await nodes.first { $0.name == runs[0].node }?.status().jobs.first?.lastRun
                #expect(last?.outcome == "failed")
                #expect(last?.exitCode == 3)
                try fleet.expectAtMostOne()
            }
        }
    }

    @Test func logsShowTheTailOfARunAndOfTheLastOne() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", "shell = \"echo first line; echo $BATON_JOB; sleep 60\"")
            try node.start()
            try await node.waitForStatus("running") { $0.jobs.first?.state == .running }
            var tail = ""
            for _ in 0..<100 where tail.isEmpty { tail = try await node.batonctl("logs", "job").output }
            #expect(tail == "first line\njob\n")
            #expect(try await node.batonctl("stop", "job").code == 0)
            try await node.waitForStatus("held down") { $0.jobs.first?.state == .heldDown }
            #expect(try await node.batonctl("logs", "job").output == "first line\njob\n")
            #expect(try await node.batonctl("logs", "nojob").code == 1)
        }
    }
}
