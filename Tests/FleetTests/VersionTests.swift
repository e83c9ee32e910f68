// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Run folders that another version wrote.
@Suite(.serialized, .timeLimit(.minutes(5))) struct VersionTests {
    /// A daemon that is killed, its run's record rewritten, and another daemon on it.
    private func withRecord(
        rewritten: (String) -> String, _ body: (Fleet, Node, History.Run) async throws -> Void
    ) async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let run = try await fleet.waitForRun()
            try await node.waitForStatus("it runs") { $0.jobs.first?.run?.pid != nil }
            try await node.crash()
            let path = "\(node.runtime)/runs/job/\(run.id)/lease"
            let text = rewritten(try String(contentsOfFile: path, encoding: .utf8))
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try node.start()
            try await body(fleet, node, run)
            try await node.stop()
            try fleet.expectAtMostOne()
        }
    }

    @Test func whatANewerVersionAddsDoesNotKeepARunFromBeingTakenOver() async throws {
        try await withRecord(rewritten: { $0 + "\nsomething new" }) { fleet, node, run in
            try await node.waitForStatus("the run is known again") { $0.jobs.first?.run?.runID == run.id }
            try await Task.sleep(for: fleet.timeout * 2)
            let history = try fleet.read()
            #expect(history.runs().count == 1)
            #expect(history.runs().first?.pids == run.pids)
        }
    }

    @Test func aRunThatOnlyANewerVersionUnderstandsIsLeftAloneAndEndsWithItsLease() async throws {
        try await withRecord(rewritten: { "2" + $0.dropFirst() }) { fleet, node, run in
            let next = try await fleet.waitForRun(after: run.last)
            #expect(next.fence > run.fence)
            let history = try fleet.read()
            let first = try #require(history.runs().first { $0.id == run.id })
            // Not killed by the daemon that found it.
            #expect(first.last - run.last > fleet.timeout / 4)
            for pid in first.pids { #expect(!Processes.isAlive(pid)) }
            let log = try String(contentsOfFile: node.folder + "/log", encoding: .utf8)
            #expect(log.contains("a run of a newer version is left alone"))
        }
    }
}
