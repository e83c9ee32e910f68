// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Foundation
import Testing

/// What the README shows can be copied as it stands.
@Suite struct ReadmeTests {
    private static let text: String = {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        return (try? String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)) ?? ""
    }()

    /// The blocks of TOML whose first line is a comment that names this path.
    private static func block(_ path: String) -> String? {
        text.components(separatedBy: "```toml\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
            .first { $0.hasPrefix("# \(path)\n") }
    }

    @Test func theJobIsValid() throws {
        let job = try #require(Self.block("/etc/baton/jobs.d/importer.toml"))
        // This machine has no such user.
        let text = job.split(separator: "\n").filter { !$0.hasPrefix("user") }.joined(separator: "\n")
        #expect(text.count < job.count)
        let bench = try ConfigBench()
        #expect(try bench.job(text).command == .program(["/usr/local/bin/importer", "--follow"]))
    }

    @Test func theNodesFileIsValid() throws {
        let bench = try ConfigBench()
        let password = bench.write("password", "CHANGE-ME", mode: 0o600)
        let text = try #require(Self.block("/etc/baton/batond.toml"))
            .replacingOccurrences(of: "/etc/baton/password", with: password)
        let node = bench.loadNode(text)
        #expect(node.errors.isEmpty)
        #expect(node.settings.store.location == .tcp(host: "10.0.0.5", port: 6379, tls: false))
        #expect(node.settings.store.username == "baton" && node.settings.store.password != nil)
    }

    /// Every key in the tables is one that the files may have, with the default that the table gives.
    @Test func everyKeyIsKnown() throws {
        let section = try #require(Self.text.components(separatedBy: "## The job file").last)
            .components(separatedBy: "### What a workload finds")
        let rows = try #require(section.first).split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count >= 18)
        let bench = try ConfigBench()
        let ofTicks: Set = ["timezone", "jitter", "catch_up", "start_deadline", "overlap", "retry"]
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            let key = cells[0].replacingOccurrences(of: "`", with: "")
            let value = cells[1].replacingOccurrences(of: "`", with: "")
            guard cells[1].hasPrefix("`"), value.count + 2 == cells[1].count else { continue }
            let rest =
                "shell = 'true'" + (ofTicks.contains(String(key.prefix { $0 != "." })) ? "\nschedule = '@daily'" : "")
            #expect(
                try bench.job("\(key) = \(value)\n\(rest)") == bench.job(rest), "the default of \(key)")
        }
    }
}
