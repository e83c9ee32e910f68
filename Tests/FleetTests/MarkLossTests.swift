// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What operators said, beside a store that loses its data.
@Suite(.serialized, .timeLimit(.minutes(5))) struct MarkLossTests {
    private func remembers(_ node: Node, _ job: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(node.folder)/state/marks/\(job)")
    }

    private func waitUntil(_ what: Comment, _ isTrue: () -> Bool) async throws {
        let deadline = BootClock.now() + .seconds(20)
        while !isTrue() {
            if BootClock.now() > deadline { throw TestFailure("waited in vain: \(what)") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    @Test func aStoreThatForgetsIsToldAgain() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    try node.job("job", fleet.workload())
                    try node.job("tick", fleet.workload(["--exit-after", "10"], "every = '1s'"))
                    try node.start()
                }
                _ = try await fleet.waitForRun()
                try await fleet.waitFor("a tick") { $0.runs(of: "tick").first }
                #expect(try await nodes[0].batonctl("stop", "job").code == 0)
                #expect(try await nodes[0].batonctl("pause", "tick", "--for", "2h").code == 0)
                // The other node was not asked, and hears of it.
                try await waitUntil("both remember both") {
                    nodes.allSatisfy { remembers($0, "job") && remembers($0, "tick") }
                }
                try await nodes[0].waitForStatus("stopped") { $0.jobs.map(\.state) == [.heldDown, .paused] }
                // Not even the one that was asked is there any more.
                try await nodes[0].stop()
                let count = try fleet.read().runs().count
                _ = try server.ask("FLUSHALL")
                try nodes[0].start()
                for node in nodes {
                    try await node.waitForStatus("as before") { report in
                        report.store.state == "connected" && report.jobs.map(\.state) == [.heldDown, .paused]
                    }
                }
                try await Task.sleep(for: fleet.timeout * 2)
                #expect(try fleet.read().runs().count == count)
                let reasons = try await nodes[1].status().jobs.map(\.reason)
                #expect(reasons[0]?.hasPrefix("stopped on a") == true, "\(reasons)")
                #expect(reasons[1]?.hasPrefix("paused on a, for another 1h59m") == true, "\(reasons)")

                // What was cleared does not come back.
                #expect(try await nodes[1].batonctl("run", "job").code == 0)
                #expect(try await nodes[1].batonctl("resume", "tick").code == 0)
                let run = try await fleet.waitForRun()
                try await waitUntil("both forget both") {
                    nodes.allSatisfy { !remembers($0, "job") && !remembers($0, "tick") }
                }
                _ = try server.ask("FLUSHALL")
                let flushed = BootClock.now()
                try await fleet.waitFor("a tick after that") { $0.runs(of: "tick").first { $0.first > flushed } }
                try await fleet.waitFor("it goes on") {
                    $0.runs().first { $0.id == run.id && $0.last > flushed + fleet.timeout }
                }
                try fleet.expectAtMostOne()
            }
        }
    }
}
