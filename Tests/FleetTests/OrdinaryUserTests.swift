// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// A daemon without rights, in a root without systemd and without cgroups, as in a container.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct OrdinaryUserTests {
    @Test func itWorksAndSaysWhatIsBestEffort() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            // Copies: nobody may not see the checkout.
            for program in [Binary.batond, Binary.keeper, Binary.workload] {
                let name = program.split(separator: "/").last.map(String.init) ?? ""
                try FileManager.default.copyItem(atPath: program, toPath: "\(fleet.folder)/\(name)")
            }
            let command = ["\(fleet.folder)/test-workload", fleet.history, "--daemonise"]
            try node.job("job", "command = \(command)\n")
            let owned = try await run("/bin/chown", ["--recursive", "65534:65534", fleet.folder])
            try #require(owned.code == 0)

            let first = try start(node, fleet)
            defer { kill(first, SIGKILL) }
            let run = try await fleet.waitFor("a run") { $0.runs().last { $0.pids.count == 2 } }
            let status = try await node.status()
            for words in ["no cgroup of its own: ", "keepers get no real-time priority: "] {
                #expect(status.warnings.contains { $0.hasPrefix(words) }, "\(status.warnings)")
            }
            let main = try #require(try fleet.read().lines.first { $0.role == "main" }).pid
            let owner = try FileManager.default.attributesOfItem(atPath: "/proc/\(main)")[.ownerAccountID] as? Int
            #expect(owner == 65534)

            // The next daemon takes the run over, and stops all of it.
            kill(first, SIGKILL)
            // Until it is gone, it is the one on its runtime directory.
            try await eventually("it is gone") { kill(first, 0) != 0 }
            let second = try start(node, fleet)
            defer { kill(second, SIGKILL) }
            try await node.waitForStatus("the run is known again") { $0.jobs.first?.run?.runID == run.id }
            kill(second, SIGTERM)
            try await eventually("all of it is gone") { Processes.mentioning(fleet.history).isEmpty }
            #expect(try fleet.read().lines.contains { $0.run == run.id && $0.event == "term" })
            #expect(try fleet.read().runs().count == 1)
            try fleet.expectAtMostOne()
        }
    }

    /// Nobody's daemon, in mounts of its own. Returns its pid.
    private func start(_ node: Node, _ fleet: Fleet) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        let script = """
            mount -t tmpfs none /sys/fs/cgroup && mount -t tmpfs none /run &&
            exec setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all "$@"
            """
        process.arguments =
            ["--mount", "--propagation=private", "/bin/sh", "-c", script, "sh", fleet.folder + "/batond"]
            + node.arguments
        let log = FileHandle(forWritingAtPath: node.folder + "/log") ?? .nullDevice
        try process.run(output: log, errors: log)
        return process.processIdentifier
    }
}
