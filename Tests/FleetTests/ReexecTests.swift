// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// batond replaces itself by the program on the disk.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ReexecTests {
    private func withRunner(
        jobs: [String] = ["job"], _ body: (_ fleet: Fleet, _ node: Node) async throws -> Void
    ) async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            for job in jobs { try node.job(job, fleet.workload()) }
            try node.start()
            try await node.waitForStatus("all run") { report in
                report.jobs.count == jobs.count && report.jobs.allSatisfy { $0.run?.pid != nil }
            }
            try await body(fleet, node)
            try fleet.expectAtMostOne()
        }
    }

    @Test func noRunNoticesAnything() async throws {
        try await withRunner(jobs: ["one", "two", "three"]) { fleet, node in
            let before = try await node.status()
            var instances = [before.instance]
            let descriptors = try Processes.descriptors(of: node.pid)
            for _ in 0..<3 {
                let (code, output, errors) = try await node.batonctl("reexec")
                #expect(code == 0, "\(errors)")
                #expect(output.contains("is up anew, with 3 runs"), "\(output)")
                let after = try await node.status()
                #expect(after.jobs.map { $0.run?.runID } == before.jobs.map { $0.run?.runID })
                #expect(after.jobs.map { $0.run?.pid } == before.jobs.map { $0.run?.pid })
                #expect(after.jobs.map { $0.holder?.fence } == before.jobs.map { $0.holder?.fence })
                instances.append(after.instance)
            }
            #expect(Set(instances).count == 4)
            #expect(try Processes.descriptors(of: node.pid) <= descriptors + 2)
            try await Task.sleep(for: fleet.timeout * 2)
            let history = try fleet.read()
            #expect(history.runs().count == 3)
            for run in history.runs() {
                #expect(BootClock.now() - run.last < .milliseconds(500))
                #expect(history.longestGap(in: run) < .milliseconds(500))
            }
            // The process is the same one that the test started: it ends as ever.
            try await node.stop()
            for run in history.runs() { for pid in run.pids { #expect(!Processes.isAlive(pid)) } }
        }
    }

    @Test func aProgramThatWouldNotStartIsNotBegun() async throws {
        try await withRunner { fleet, node in
            let before = try await node.status()
            try node.job("other", "command = [\"/bin/true\"\n")
            let (code, _, errors) = try await node.batonctl("reexec")
            #expect(code == 1)
            #expect(errors.contains("nothing was done") && errors.contains("other.toml:"), "\(errors)")
            let after = try await node.status()
            #expect(after.instance == before.instance)
            #expect(after.jobs.first?.run?.pid == before.jobs.first?.run?.pid)
            try await node.stop()
        }
    }

    @Test func runsThatStartAfterwardsFindWhatTheyFoundBefore() async throws {
        try await withRunner { fleet, node in
            let before = try #require(try await node.status().jobs.first?.run?.pid)
            let limits = try String(contentsOfFile: "/proc/\(before)/limits", encoding: .utf8)
            let signals = try Processes.signals(of: before)
            #expect(try await node.batonctl("reexec").code == 0)
            kill(before, SIGKILL)
            try await node.waitForStatus("it runs again") { $0.jobs.first?.run?.pid.map { $0 != before } ?? false }
            let after = try #require(try await node.status().jobs.first?.run?.pid)
            #expect(try String(contentsOfFile: "/proc/\(after)/limits", encoding: .utf8) == limits)
            #expect(try Processes.signals(of: after) == signals)
            try await node.stop()
        }
    }

    @Test func aStopThatComesMeanwhileIsNotLost() async throws {
        for delay in TestLength.isLong ? [5, 20, 40, 80] : [20] {
            try await withRunner { fleet, node in
                async let reexec = node.batonctl("reexec")
                try await Task.sleep(for: .milliseconds(delay))
                node.signal(SIGTERM)
                #expect(try await node.exitCode() == 0, "after \(delay) ms")
                _ = try await reexec
                for run in try fleet.read().runs() { for pid in run.pids { #expect(!Processes.isAlive(pid)) } }
            }
        }
    }
}
