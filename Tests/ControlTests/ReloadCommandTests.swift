// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing
import batonctl

/// `batonctl reload` and `batonctl check --diff`, against a daemon that is played.
@Suite struct ReloadCommandTests {
    private static let refusal = ReloadRefusal(
        errors: [
            FileProblem(
                file: "/etc/baton/jobs.d/a.toml", line: 2, column: 1, key: "nice", message: "99 is not a niceness"),
            FileProblem(
                file: "/etc/baton/jobs.d/b\u{1b}.toml", line: nil, column: nil, key: nil, message: "is a folder"),
        ],
        warnings: [FileProblem(file: "/x.toml", line: 1, column: nil, key: "command", message: "/no does not exist")])

    @Test func aReloadSaysWhatChanged() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let result = try await batonctl("reload", socket: path)
            #expect(result.code == 0)
            #expect(
                result.out == """
                    added: backup
                    changed: mail (description), report (command)
                    restarted here: report
                    only after a restart of batond: store.url
                    jobs: 1 added, 2 changed, 1 unchanged

                    """)
            #expect(result.error == "warning: /etc/baton/jobs.d/report.toml:1: command: /no/such does not exist\n")
        }
        #expect(backend.performed == ["reload"])
    }

    @Test func aDiffSaysWhatWouldChangeAndChangesNothing() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let result = try await batonctl("check", "--diff", socket: path)
            #expect(result.code == 0)
            #expect(result.out.contains("would be restarted here: report\n"))
            #expect(try await batonctl("check", "--diff", "/etc/baton", socket: path).code == 64)
        }
        #expect(backend.performed.isEmpty)
    }

    @Test(arguments: [["reload"], ["check", "--diff"]])
    func badFilesAreToldAsCheckTellsThem(_ verb: [String]) async throws {
        try await withServer(FakeBackend(refusal: Self.refusal)) { path async throws in
            let result = try await run(try built("batonctl"), verb + ["--socket", path])
            #expect(result.code == 78)
            #expect(result.out.isEmpty)
            #expect(
                result.error == """
                    warning: /x.toml:1: command: /no does not exist
                    error: /etc/baton/jobs.d/a.toml:2:1: nice: 99 is not a niceness
                    error: /etc/baton/jobs.d/b\\x1b.toml: is a folder
                    batonctl: the files have 2 errors: nothing was changed

                    """)
            let json = try await run(try built("batonctl"), verb + ["--json", "--socket", path])
            #expect(json.code == 78)
            #expect(try JSONDecoder().decode(ReloadRefusal.self, from: Data(json.out.utf8)) == Self.refusal)
        }
    }

    @Test func inJSONItIsWhatTheDaemonSaid() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("reload", "--json", socket: path)
            #expect(try JSONDecoder().decode(ReloadReport.self, from: Data(result.out.utf8)) == FakeBackend.changes)
            let json = try #require(try JSONSerialization.jsonObject(with: Data(result.out.utf8)) as? [String: Any])
            #expect(
                Set(json.keys) == [
                    "added", "removed", "changed", "restarted", "stopped", "unchanged", "node", "warnings",
                ])
            #expect((json["node"] as? [String: [String]])?["needs_restart"] == ["store.url"])
        }
    }

    @Test func noDaemonIs69() async throws {
        try await withFolder { folder async throws in
            for verb in [["reload"], ["check", "--diff"]] {
                let result = try await run(try built("batonctl"), verb + ["--socket", folder + "/control.sock"])
                #expect(result.code == 69)
            }
        }
    }

    @Test func nothingToDoIsSaidToo() {
        var report = ReloadReport()
        #expect(ReloadText.text(report, .past) == "no job changed, 0 unchanged")
        report.unchanged = ["a", "b"]
        report.node.changed = ["log.level"]
        #expect(ReloadText.text(report, .past) == "batond.toml: log.level\nno job changed, 2 unchanged")
    }

    @Test func manyNamesAreCounted() {
        var report = ReloadReport()
        report.added = (0..<1000).map { "job-\($0)" }
        let text = ReloadText.text(report, .past)
        #expect(text.contains("job-19 and 980 more\n"))
        #expect(text.hasSuffix("jobs: 1000 added, 0 unchanged"))
    }
}
