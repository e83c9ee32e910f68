// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Files and stores that are not as they should be: batond and batonctl say which, where and why.
@Suite(.serialized, .timeLimit(.minutes(5))) struct BadInputTests {
    private static var jobs: [BadFile] { BadFile.jobs + (geteuid() == 0 ? BadFile.rootJobs : []) }

    private func expect(_ bad: BadFile, in message: String, path: String) {
        #expect(message.contains(path), "\(message)")
        for part in bad.says { #expect(message.contains(part), "\(message)") }
    }

    @Test(arguments: jobs) func aBadJobFileIsToldByBothChecks(_ bad: BadFile) async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let path = "\(node.folder)/etc/jobs.d/\(bad.name).toml"
            try node.job("good", fleet.workload())
            try bad.write(to: path)
            let checked = try await run(Binary.batond, node.arguments + ["--check"])
            #expect(checked.code == 78)
            expect(bad, in: checked.errors, path: path)
            for argument in ["\(node.folder)/etc/batond.toml", path] {
                let told = try await run(Binary.batonctl, ["check", argument])
                #expect(told.code == 78)
                expect(bad, in: told.output + told.errors, path: path)
            }
            #expect(!FileManager.default.fileExists(atPath: node.runtime), "a check changes nothing")
        }
    }

    /// All of them at once: each is invalid for its own reason, and the good one runs.
    @Test func aBadJobFileIsInvalidAndTheOthersRun() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            var names: [String: BadFile] = [:]
            for (index, bad) in Self.jobs.enumerated() {
                let name = bad.name == "bad" ? "bad-\(index)" : bad.name
                names[name] = bad
                try bad.write(to: "\(node.folder)/etc/jobs.d/\(name).toml")
            }
            try node.start()
            _ = try await fleet.waitForRun()
            let status = try await node.status()
            #expect(status.jobs.count == names.count + 1)
            for job in status.jobs where job.name != "job" {
                #expect(job.state == .invalid)
                let bad = try #require(names[job.name])
                expect(bad, in: job.reason ?? "", path: "\(node.folder)/etc/jobs.d/\(job.name).toml")
            }
            try await node.stop()
        }
    }

    @Test(arguments: BadFile.nodes) func aBadNodeFileIsNotStartedWith(_ bad: BadFile) async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let path = "\(node.folder)/etc/batond.toml"
            try FileManager.default.removeItem(atPath: path)
            try bad.write(to: path)
            for arguments in [node.arguments, node.arguments + ["--check"]] {
                let (code, _, errors) = try await run(Binary.batond, arguments)
                #expect(code == 78)
                expect(bad, in: errors, path: path)
            }
            #expect(!FileManager.default.fileExists(atPath: node.runtime))
        }
    }

    @Test func withoutANodeFileItDoesNotStart() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try FileManager.default.removeItem(atPath: "\(node.folder)/etc/batond.toml")
            let (code, _, errors) = try await run(Binary.batond, node.arguments)
            #expect(code == 78)
            #expect(errors.contains("\(node.folder)/etc/batond.toml: cannot be read: No such file or directory"))
        }
    }

    enum Writable: String, CaseIterable, CustomTestStringConvertible {
        case file, folder, above, nodeFile
        var testDescription: String { rawValue }
    }

    @Test(arguments: Writable.allCases) func whatOthersCanWriteIsRefused(_ writable: Writable) async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            let path =
                switch writable {
                case .file: "\(node.folder)/etc/jobs.d/job.toml"
                case .folder: "\(node.folder)/etc/jobs.d"
                case .above: "\(node.folder)/etc"
                case .nodeFile: "\(node.folder)/etc/batond.toml"
                }
            try #require(chmod(path, writable == .file || writable == .nodeFile ? 0o666 : 0o777) == 0)
            let (code, _, errors) = try await run(Binary.batond, node.arguments + ["--check"])
            #expect(code == 78)
            #expect(errors.contains("\(path): can be written by others"), "\(errors)")
            #expect(errors.contains(path.hasSuffix("toml") ? "0666" : "0777"), "\(errors)")
        }
    }

    @Test func aFileThatItsUserCannotReadIsTold() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            let path = "\(node.folder)/etc/jobs.d/job.toml"
            try #require(chmod(path, 0) == 0)
            var (program, arguments) = (Binary.batond, node.arguments + ["--check"])
            if geteuid() == 0 {
                // A copy: nobody may not see the checkout.
                let copy = "\(fleet.folder)/batond"
                try FileManager.default.copyItem(atPath: program, toPath: copy)
                arguments = ["--reuid=65534", "--regid=65534", "--clear-groups", copy] + arguments
                program = "/usr/bin/setpriv"
            }
            let (code, _, errors) = try await run(program, arguments)
            #expect(code == 78)
            #expect(errors.contains("\(path): cannot be read: Permission denied"), "\(errors)")
        }
    }

    @Test func aMissingCommandIsWarnedOfAndFailsWithItsErrno() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            let cases = ["missing": "No such file or directory", "plain": "Permission denied"]
            try node.job("missing", "command = [\"/no/such/program\"]")
            try node.job("plain", "command = [\"\(node.folder)/etc/batond.toml\"]")
            let (code, output, errors) = try await run(Binary.batonctl, ["check", "\(node.folder)/etc/batond.toml"])
            #expect(code == 0)
            #expect((output + errors).contains("missing.toml:1: command: /no/such/program does not exist"), "\(errors)")
            #expect((output + errors).contains("plain.toml:1: command: "), "\(errors)")
            try node.start()
            try await node.waitForStatus("both failed, each with its reason") { status in
                cases.allSatisfy { name, reason in
                    let last = status.jobs.first { $0.name == name }?.lastRun
                    return last?.outcome == "failed" && last?.reason?.contains(reason) == true
                }
            }
            for (name, reason) in cases {
                let text = try await node.batonctl("status", name).output
                #expect(text.contains("could not be started: exec: \(reason)"), "\(text)")
            }
            try await node.stop()
        }
    }

    // MARK: - Stores

    /// A node whose store is no use is up, and says why; its jobs do not run.
    private func expectUseless(
        _ url: String, rest: String = "", says: String..., sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a", storeURL: url)
            try node.job("job", fleet.workload())
            let path = "\(node.folder)/etc/batond.toml"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try text.replacingOccurrences(of: "[store]\n", with: "[store]\n\(rest)")
                .write(toFile: path, atomically: true, encoding: .utf8)
            #expect(chmod(path, 0o600) == 0)
            try node.start()
            try await node.waitForStatus("it says why") { status in
                says.allSatisfy { status.store.state.contains($0) } && status.jobs.first?.state != .running
            }
            let log = try String(contentsOfFile: "\(node.folder)/log", encoding: .utf8)
            #expect(log.contains("ready"), "\(log)", sourceLocation: sourceLocation)
            let (code, shown, _) = try await node.batonctl("status")
            #expect(code == 0, sourceLocation: sourceLocation)
            for part in says { #expect(shown.contains(part), "\(shown)", sourceLocation: sourceLocation) }
            #expect(try fleet.read().runs().isEmpty, sourceLocation: sourceLocation)
            try await node.stop()
        }
    }

    @Test func anUnreachableServer() async throws {
        try await expectUseless("valkey://127.0.0.1:\(try freePort())", says: "unreachable", "Connection refused")
    }

    @Test func aWrongPassword() async throws {
        try await withServer(.init(password: "right")) { server in
            try await expectUseless("valkey://:wrong@127.0.0.1:\(server.port)", says: "\(server.port)", "password")
            try await expectUseless(
                "valkey://127.0.0.1:\(server.port)", says: "\(server.port)", "Authentication required")
        }
    }

    @Test func aCertificateForAnotherName() async throws {
        try await withServer(.init(tls: true)) { server in
            let ca = "ca_file = \"\(TestCertificates.shared.ca)\"\n"
            try await expectUseless(
                "valkeys://127.0.0.1:\(server.tlsPort)", rest: ca, says: "certificate of 127.0.0.1:\(server.tlsPort)",
                "another name")
            let stranger = "ca_file = \"\(TestCertificates.shared.strangerCA)\"\n"
            try await expectUseless(
                "valkeys://localhost:\(server.tlsPort)", rest: stranger,
                says: "certificate of localhost:\(server.tlsPort)", "not trusted")
        }
    }

    @Test func aServerThatIsNoValkey() async throws {
        try await withPeer { receive, send in
            while receive() != nil { send(Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)) }
        } _: { peer in
            try await expectUseless("valkey://127.0.0.1:\(peer.port)", says: "127.0.0.1:\(peer.port)", "protocol")
        }
    }

    // MARK: - The runtime directory

    @Test func aRuntimeDirectoryHasOneLiveDaemon() async throws {
        try await withFleet { fleet in
            let node = try fleet.node("a")
            try node.job("job", fleet.workload())
            try node.start()
            let first = try await fleet.waitForRun()
            let (code, _, errors) = try await run(Binary.batond, node.arguments)
            #expect(code == 78)
            let wanted = "the runtime directory \(node.runtime): in use by another batond (pid \(node.pid))"
            #expect(errors.contains(wanted), "\(errors)")
            // The first one is as it was.
            #expect(try await node.status().jobs.first?.run?.runID == first.id)

            // Left by a dead one, with its socket, and with nonsense in its lock file.
            try await node.crash()
            #expect(FileManager.default.fileExists(atPath: node.socket))
            try "not a pid\u{1b}[31m".write(toFile: "\(node.runtime)/lock", atomically: false, encoding: .utf8)
            try node.start()
            try await node.waitForStatus("it took the run over") { $0.jobs.first?.run?.runID == first.id }
            try await node.stop()
            #expect(!FileManager.default.fileExists(atPath: node.socket))
            #expect(try fleet.read().runs().count == 1)
        }
    }
}
