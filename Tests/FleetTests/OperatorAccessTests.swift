// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// `[control] operators`, with a real daemon and real peers.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct OperatorAccessTests {
    private let group = 42_043

    @Test func operatorsActAndStrangersDoNot() async throws {
        try #require(geteuid() == 0, "only root can ask as somebody else")
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let file = node.folder + "/etc/batond.toml"
            let text = try String(contentsOfFile: file, encoding: .utf8) + "\n[control]\noperators = \(group)\n"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            try node.job("job", fleet.workload())
            try node.start()
            _ = try await fleet.waitForRun()
            let program = fleet.folder + "/batonctl"
            try FileManager.default.copyItem(atPath: Binary.batonctl, toPath: program)

            func ask(groups: String, _ verb: String...) async throws -> (code: Int32, output: String, errors: String) {
                try await run(
                    "/usr/bin/setpriv",
                    ["--reuid=12345", "--regid=12345", groups, program] + verb + ["--socket", node.socket])
            }
            let stranger = try await ask(groups: "--clear-groups", "status")
            #expect(stranger.code == 77)
            #expect(stranger.errors.contains("root, batond's own user and members of group baton or of the group of"))
            #expect(try await ask(groups: "--groups=\(group)", "status").code == 0)
            let stop = try await ask(groups: "--groups=\(group)", "stop", "job")
            #expect(stop.code == 0, "\(stop.errors)")
            try await node.waitForStatus("held down") { $0.jobs.first?.state == .heldDown }
            let log = try String(contentsOfFile: node.folder + "/log", encoding: .utf8)
            let event = log.split(separator: "\n").first { $0.contains("operator's request carried out") }
            #expect(event?.contains("act=stop gid=12345 pid=") == true, "\(String(describing: event))")
            #expect(event?.contains("uid=12345") == true)

            // Another daemon's user is nobody here.
            chmod(node.socket, 0o666)
            #expect(try await ask(groups: "--groups=1", "status").code == 77)
            #expect(try await ask(groups: "--groups=1", "run", "job").code == 77)
            try await node.stop()
        }
    }

    @Test func anUnknownGroupIsAnErrorOfTheFile() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let file = node.folder + "/etc/batond.toml"
            let text =
                try String(contentsOfFile: file, encoding: .utf8) + "\n[control]\noperators = \"no-such-group\"\n"
            try text.write(toFile: file, atomically: false, encoding: .utf8)
            try node.start()
            #expect(try await node.exitCode() == 78)
            let log = try String(contentsOfFile: node.folder + "/log", encoding: .utf8)
            #expect(log.contains("control.operators: there is no group 'no-such-group' on this machine"))
        }
    }
}
