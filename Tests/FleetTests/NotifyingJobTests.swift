// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Jobs whose workloads say how they are (`run.notify`, `run.watchdog`).
@Suite(.serialized, .timeLimit(.minutes(5))) struct NotifyingJobTests {
    @Test func statusShowsWhatItSays() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let script = """
                systemd-notify --status="reading"; while [ ! -e \(fleet.folder)/go ]; do sleep 0.05; done; \
                systemd-notify --ready --status="$(printf "line 7\\033")"; exec sleep 1000
                """
            try node.job("job", "shell = '\(script)'\nrun.notify = true\nrun.watchdog = '60s'")
            try node.job("mute", "shell = 'exec sleep 1000'")
            try node.start()
            try await node.waitForStatus("it has begun") { report in
                report.jobs.first?.run?.status == "reading" && report.jobs.first?.run?.isReady == false
            }
            #expect(FileManager.default.createFile(atPath: "\(fleet.folder)/go", contents: nil))
            try await node.waitForStatus("it is ready") { $0.jobs.first?.run?.isReady == true }
            let shown = try await node.batonctl("status", "job")
            #expect(shown.output.contains("\n  workload  ready: line 7\\x1b\n"), "\(shown)")
            let mute = try await node.status().jobs.last?.run
            #expect(mute != nil && mute?.isReady == nil && mute?.status == nil)

            // A daemon that takes the run over is told what was said before.
            let pid = try #require(try await node.status().jobs.first?.run?.pid)
            try await node.crash()
            try node.start()
            try await node.waitForStatus("as before") { report in
                let run = report.jobs.first?.run
                return run?.pid == pid && run?.isReady == true && run?.status == "line 7\u{1b}"
            }
        }
    }

    @Test func aHungWorkloadGivesItsLockUp() async throws {
        try await withServer { server in
            try await withFleet(server: server) { fleet in
                let nodes = try ["a", "b"].map { try fleet.node($0) }
                for node in nodes {
                    // Wherever it is first, it hangs.
                    let script = """
                        systemd-notify --ready; mkdir \(fleet.folder)/hangs && exec sleep 1000; \
                        while systemd-notify WATCHDOG=1; do sleep 0.2; done
                        """
                    try node.job(
                        "job",
                        "shell = '\(script)'\nrun.notify = true\nrun.watchdog = '1500ms'\nrestart.delay = '100ms'")
                    try node.start()
                }
                let hung = try await first(of: nodes) { $0.lastRun }
                #expect(hung.outcome == "failed")
                #expect(hung.reason?.contains("longer than run.watchdog") == true)
                // Whoever has it then goes on.
                let later = try await first(of: nodes) { job in
                    job.run.flatMap { $0.isReady == true && $0.runID != hung.runID ? $0.runID : nil }
                }
                try await Task.sleep(for: .seconds(3))
                var runs: [String?] = []
                for node in nodes { runs.append(try await node.status().jobs.first?.run?.runID) }
                #expect(runs.compactMap { $0 } == [later])
            }
        }
    }

    /// What the first of the nodes says of its job that has it to say; waits for it.
    private func first<Found>(of nodes: [Node], _ select: (StatusReport.Job) -> Found?) async throws -> Found {
        let deadline = BootClock.now() + .seconds(20)
        while BootClock.now() < deadline {
            for node in nodes {
                if let found = try? await node.status().jobs.first.flatMap(select) { return found }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw TestFailure("waited in vain")
    }
}
