// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Jobs that an operator pauses: nothing new starts, what runs goes on.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PauseTests {
    @Test func aServiceThatRunsGoesOnAndIsNotStartedAgain() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload())
                    try node.start()
                }
                let run = try await fleet.waitForRun()
                let (holder, other) = run.node == "a" ? (nodes[0], nodes[1]) : (nodes[1], nodes[0])
                try await other.waitForStatus("it stands by") { $0.jobs.first?.state == .standby }
                let (code, output, errors) = try await other.batonctl("pause", "job")
                #expect(code == 0 && output.hasPrefix("job is paused on every node"), "\(errors)")
                for (node, state) in [(holder, StatusReport.State.running), (other, .standby)] {
                    let job = try await node.status().jobs.first
                    #expect(job?.state == state && job?.reason?.hasPrefix("paused on \(other.name)") == true)
                }
                let later = try await fleet.waitFor("it goes on") {
                    $0.runs().first { $0.id == run.id && $0.last > run.last + .milliseconds(500) }
                }

                let pid = try #require(try await holder.status().jobs.first?.run?.pid)
                kill(pid, SIGKILL)
                for node in nodes { try await node.waitForStatus("paused") { $0.jobs.first?.state == .paused } }
                let refused = try await holder.batonctl("run", "job")
                #expect(refused.code == 1 && refused.errors.contains("batonctl resume job"), "\(refused)")
                #expect(try await other.batonctl("explain", "job").output.contains("it is paused, by an operator on"))
                // It outlives the nodes.
                for node in nodes { try await node.stop() }
                for node in nodes { try node.start() }
                for node in nodes { try await node.waitForStatus("paused") { $0.jobs.first?.state == .paused } }
                #expect(try fleet.read().runs().count == 1)
                #expect(try await holder.batonctl("resume", "job").code == 0)
                let next = try await fleet.waitForRun(after: later.last)
                #expect(next.fence > run.fence)
                // Nothing to end any more, which is well.
                #expect(try await holder.batonctl("resume", "job").code == 0)
                #expect(try await holder.batonctl("stop", "job").code == 0)
                for verb in ["pause", "resume"] {
                    let held = try await holder.batonctl(verb, "job")
                    #expect(held.code == 1 && held.errors.contains("job is held down by an operator"), "\(held)")
                }
                try fleet.expectAtMostOne()
            }
        }
    }

    @Test func noTickRunsUntilThePauseIsOver() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload(["--exit-after", "10"], "every = '1s'"))
            try node.job("rare", "shell = 'true'\nevery = '300d'")
            try node.start()
            try await fleet.waitFor("two runs") { $0.runs().count >= 2 ? () : nil }
            #expect(try await node.batonctl("pause", "job").code == 0)
            #expect(try await node.batonctl("pause", "rare", "--for", "2h").code == 0)
            // One may have begun just before.
            try await node.waitForStatus("paused") { $0.jobs.allSatisfy { $0.state == .paused } }
            let count = try fleet.read().runs().count
            let rare = try await node.status().jobs.last
            #expect(rare?.reason?.hasPrefix("paused on a, for another 1h59m") == true, "\(String(describing: rare))")
            try await Task.sleep(for: .seconds(3))
            #expect(try fleet.read().runs().count == count)
            // From now on for a moment only.
            #expect(try await node.batonctl("pause", "job", "--for", "1500ms").code == 0)
            try await fleet.waitFor("more runs") { $0.runs().count >= count + 2 ? () : nil }
            #expect(try await node.batonctl("resume", "rare").code == 0)
            try await node.waitForStatus("not paused") { $0.jobs.last?.state == .standby }
        }
    }
}
