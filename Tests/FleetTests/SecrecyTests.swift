// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Planted secrets, looked for everywhere where somebody could read them.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SecrecyTests {
    /// Of the store, of a node that has a wrong one, and of a job. No program says any of these words by itself.
    private let password = "St0re-7f3a-" + UUID().uuidString
    private let wrong = "Wr0ng-5d2c-" + UUID().uuidString
    private let token = "Job-Tok3n-91be-" + UUID().uuidString

    @Test func secretsAreNowhereToBeRead() async throws {
        try await withServer { server in
            try server.ask("CONFIG", "SET", "requirepass", password)
            try await withFleet(server: server) { fleet in
                let good = try fleet.node("good")
                let bad = try fleet.node("bad")
                try secret(password, to: good.folder + "/password")
                try secret(wrong, to: bad.folder + "/password")
                for node in [good, bad] {
                    try edit(node) {
                        $0.replacing("[store]\n", with: "[store]\npassword_file = \"\(node.folder)/password\"\n")
                            .replacing("\"debug\"", with: "\"trace\"")
                    }
                    try secret("TOKEN=\(token)\n", to: node.folder + "/environment")
                    try node.job("keeps", fleet.workload([], "environment_file = \"\(node.folder)/environment\"\n"))
                    try node.job("other", fleet.workload())
                    try node.job(
                        "fails", "command = [\"/bin/false\"]\nenvironment_file = \"\(node.folder)/environment\"\n")
                    try node.start()
                }
                let run = try await fleet.waitForRun(of: "keeps", on: "good")
                _ = try await fleet.waitForRun(of: "other", on: "good")
                try await bad.waitForStatus("the wrong password is told of") {
                    $0.store.state.contains("WRONGPASS")
                        && $0.jobs.contains { $0.reason?.contains("WRONGPASS") == true }
                }
                try await good.waitForStatus("a run has failed") {
                    $0.jobs.first { $0.name == "fails" }?.lastRun != nil
                }

                try expectProcesses(of: run)
                for node in [good, bad] {
                    try await expectSaid(by: node)
                    try expectFiles(below: node.folder)
                }
                // A run that is over leaves nothing of it.
                #expect(try await good.batonctl("stop", "keeps").code == 0)
                try await good.waitForStatus("held down") { $0.jobs.contains { $0.state == .heldDown } }
                #expect(try readers(of: token, below: good.runtime).isEmpty)
            }
        }
    }

    /// With a password in the URL, which needs a file of mode 0600.
    @Test func aPasswordInTheURLIsInItsFileOnly() async throws {
        try await withServer { server in
            try server.ask("CONFIG", "SET", "requirepass", password)
            try await withFleet(server: server) { fleet in
                let node = try fleet.node("node")
                let file = node.folder + "/etc/batond.toml"
                try edit(node) {
                    $0.replacing("valkey://", with: "valkey://:\(password)@").replacing("\"debug\"", with: "\"trace\"")
                }
                try node.job("job", fleet.workload())
                chmod(file, 0o644)
                for check in [
                    try await run(Binary.batond, node.arguments + ["--check"]),
                    try await run(Binary.batonctl, ["check", file]),
                ] {
                    #expect(check.code == 78)
                    #expect(check.errors.contains("others can read this file"))
                    #expect(!"\(check)".contains(password))
                }
                chmod(file, 0o600)
                try node.start()
                _ = try await fleet.waitForRun(on: "node")
                #expect(Processes.mentioning(password).isEmpty)
                try await expectSaid(by: node)
                #expect(try readers(of: password, below: node.folder) == [file])
                #expect(try mode(of: file) & 0o077 == 0)
            }
        }
    }

    /// Neither in a command line nor in an environment, but for the job's own in its own workload's.
    private func expectProcesses(of run: History.Run) throws {
        #expect(Processes.mentioning(password).isEmpty)
        #expect(Processes.mentioning(wrong).isEmpty)
        let knowing = Set(Processes.mentioning(token))
        #expect(!knowing.isEmpty)
        #expect(knowing.isSubset(of: run.pids), "\(knowing.map(Processes.commandLine))")
    }

    private func expectSaid(by node: Node) async throws {
        var said = try String(contentsOfFile: node.folder + "/log", encoding: .utf8)
        #expect(said.contains(" debug: "))
        for arguments in [
            ["status"], ["status", "--json"], ["status", "keeps"], ["status", "fails"], ["logs", "fails"],
        ] {
            let (_, output, errors) = try await run(Binary.batonctl, arguments + ["--socket", node.socket])
            said += output + errors
        }
        for (code, output, errors) in [
            try await run(Binary.batonctl, ["check", node.folder + "/etc"]),
            try await run(Binary.batonctl, ["check", "--json", node.folder + "/etc"]),
            try await run(Binary.batond, node.arguments + ["--check", "--log-level", "trace"]),
        ] {
            #expect(code == 0)
            said += output + errors
        }
        for secret in [password, wrong, token] {
            // Its first half would do for a guess.
            #expect(!said.contains(secret.prefix(16)), "\(secret.prefix(5)) was said by \(node.name)")
        }
    }

    /// Files that hold a secret can be read by their owner only.
    private func expectFiles(below folder: String) throws {
        for secret in [password, wrong, token] {
            for path in try readers(of: secret, below: folder) {
                #expect(try mode(of: path) & 0o077 == 0, "\(path)")
            }
        }
    }

    /// The files that hold a text.
    private func readers(of text: String, below folder: String) throws -> [String] {
        let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return all.map { "\(folder)/\($0)" }.filter { path in
            var facts = stat()
            guard lstat(path, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG else { return false }
            // A file of a run that has just ended is in nobody's way.
            let bytes = (try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data()
            return bytes.range(of: Data(text.utf8)) != nil
        }
    }

    private func mode(of path: String) throws -> mode_t {
        var facts = stat()
        guard lstat(path, &facts) == 0 else { return 0 }
        return facts.st_mode & 0o777
    }

    private func secret(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        chmod(path, 0o600)
    }

    private func edit(_ node: Node, _ change: (String) -> String) throws {
        let path = node.folder + "/etc/batond.toml"
        try change(String(contentsOfFile: path, encoding: .utf8)).write(
            toFile: path, atomically: false, encoding: .utf8)
    }
}
