// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// `batonctl check`, without a daemon.
@Suite struct CheckTests {
    @Test func aNodeWithGoodJobsIsFine() async throws {
        try await withNode(["a": "command = [\"/bin/true\"]", "b": "shell = \"true\""]) { etc async throws in
            let result = try await batonctl("check", etc + "/batond.toml")
            #expect(result == Finished(code: 0, out: "2 jobs are fine\n", error: ""))
            #expect(try await batonctl("check", etc) == result, "the folder of the node's file will do")
            #expect(try await batonctl("check", etc + "/jobs.d/") == result)
            #expect(try await batonctl("check", etc + "/jobs.d/a.toml").out == "1 job is fine\n")
        }
    }

    @Test func everyProblemIsToldAndTheCodeIs78() async throws {
        let jobs = [
            "good": "shell = \"true\"", "bad": "comand = [\"/bin/true\"]", "worse": "shell = \"true\"\nnice = 99",
        ]
        try await withNode(jobs) { etc async throws in
            try writeFile(etc + "/jobs.d/README", "words")
            let result = try await batonctl("check", etc)
            #expect(result.code == 78)
            #expect(result.out == "1 job is fine, 2 are not: bad, worse\n")
            #expect(result.error.contains("error: \(etc)/jobs.d/bad.toml:1"))
            #expect(result.error.contains("command"), "the nearest key is named")
            #expect(result.error.contains("\(etc)/jobs.d/worse.toml:2"))
            #expect(result.error.contains("ignored: \(etc)/jobs.d/README"))
        }
    }

    @Test func aJobIsCheckedWithItsNodesLimits() async throws {
        let job = "shell = \"true\"\n[lock]\ntimeout = \"20s\""
        try await withNode(["slow": job], node: "[store]\nmax_lock_timeout = \"10s\"") { etc async throws in
            let result = try await batonctl("check", etc + "/jobs.d/slow.toml")
            #expect(result.code == 78)
            #expect(result.error.contains("max_lock_timeout"), "\(result.error)")
        }
    }

    @Test func aNodesFileMayHaveAnyName() async throws {
        try await withNode(["a": "shell = \"true\""]) { etc async throws in
            rename(etc + "/batond.toml", etc + "/other.toml")
            try writeFile(etc + "/other.toml", "[log]\nlevel = \"loud\"")
            let result = try await batonctl("check", etc + "/other.toml")
            #expect(result.code == 78)
            #expect(result.error.contains("log.level"))
        }
    }

    @Test func whatIsNotThereIsSaid() async throws {
        let result = try await batonctl("check", "/nonexistent/batond.toml")
        #expect(result.code == 78)
        #expect(result.error == "error: /nonexistent/batond.toml: there is no such file or folder\n")
    }

    @Test func inJSONEveryProblemHasItsPlace() async throws {
        try await withNode(["bad": "shell = \"true\"\nnice = 99"]) { etc async throws in
            let result = try await batonctl("check", "--json", etc)
            #expect(result.code == 78)
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [String: Any])
            #expect(json["invalid_jobs"] as? [String] == ["bad"])
            let error = try #require((json["errors"] as? [[String: Any]])?.first)
            #expect(error["line"] as? Int == 2)
            #expect(error["key"] as? String == "nice")
        }
    }

    @Test func theExampleJobsAreFine() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
        try await withNode([:]) { etc async throws in
            let files = FileManager.default
            for name in try files.contentsOfDirectory(atPath: root + "/etc/jobs.d") {
                try writeFile(
                    etc + "/jobs.d/" + name, try String(contentsOfFile: root + "/etc/jobs.d/" + name, encoding: .utf8))
            }
            try writeFile(
                etc + "/batond.toml", try String(contentsOfFile: root + "/etc/batond.toml", encoding: .utf8))
            let result = try await batonctl("check", etc)
            #expect(result == Finished(code: 0, out: "3 jobs are fine\n", error: ""))
        }
    }

    /// A folder with a node's file and these jobs.
    private func withNode(
        _ jobs: [String: String], node: String = "", _ body: (String) async throws -> Void
    ) async throws {
        try await withFolder { etc async throws in
            chmod(etc, 0o755)
            try FileManager.default.createDirectory(atPath: etc + "/jobs.d", withIntermediateDirectories: false)
            chmod(etc + "/jobs.d", 0o755)
            try writeFile(etc + "/batond.toml", node)
            for (name, text) in jobs { try writeFile(etc + "/jobs.d/\(name).toml", text) }
            try await body(etc)
        }
    }
}
