// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// The real journal, in a machine of its own.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct JournalTests {
    private typealias Entry = [String: Any]

    /// What journalctl finds, each entry as the journal has it.
    private func journal(_ machine: Machine, _ matches: String...) async throws -> [Entry] {
        let query = "journalctl --sync; exec journalctl --no-pager -q -a -o json " + matches.joined(separator: " ")
        let (code, output, errors) = try await machine.enter("sh", "-c", query)
        try #require(code == 0, "\(errors)")
        return try output.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? Entry)
        }
    }

    /// A field's bytes; those that are no text are a list of numbers.
    private func bytes(_ entry: Entry, _ field: String = "MESSAGE") -> Bytes? {
        if let text = entry[field] as? String { return Bytes(text.utf8) }
        return (entry[field] as? [Int])?.map { UInt8(truncatingIfNeeded: $0) }
    }

    private func text(_ entry: Entry, _ field: String = "MESSAGE") -> String? {
        bytes(entry, field).map { String(decoding: $0, as: UTF8.self) }
    }

    private static let catalogue = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
        url.deletingLastPathComponent()
    }.appendingPathComponent("systemd/baton.catalog")

    @Test func whatHappenedIsFoundByItsFields() async throws {
        let secret = "hunter2-\(UUID().uuidString)"
        let node = """
            [node]
            name = "web-1"
            [log]
            level = "debug"
            [store]
            max_lock_timeout = "3s"
            [defaults.lock]
            timeout = "3s"
            [defaults.restart]
            policy = "never"
            """
        let long = "head -c 100000 /dev/zero | tr '\\\\0' x; echo"
        let jobs = [
            "talk": """
            shell = "echo hello; echo oh no >&2; \(long); printf 'a\\\\001\\\\377b\\\\n'; seq 1 20000; printf end"
            environment = { PASSWORD = "\(secret)" }
            """,
            "fail": "shell = \"exit 3\"\nenvironment = { PASSWORD = \"\(secret)\" }",
            "broken": "comand = [\"/bin/true\"]",
        ]
        try await withMachine(nodeFile: node, jobs: { _ in jobs }) { machine in
            let catalogue = try String(contentsOf: Self.catalogue, encoding: .utf8)
            let install = "printf %s \"$0\" >/usr/lib/systemd/catalog/baton.catalog && journalctl --update-catalog"
            #expect(try await machine.enter("sh", "-c", install, catalogue).code == 0)
            #expect(try await machine.enter("systemctl", "start", "batond").code == 0)
            try await eventually(within: .seconds(30), "both jobs are done") {
                try await journal(machine, "MESSAGE_ID=\(EventKind.jobFinished.id)").count == 2
            }

            // The daemon.
            let ready = try await journal(machine, "MESSAGE_ID=\(EventKind.nodeReady.id)")
            #expect(ready.count == 1)
            let entry = try #require(ready.first)
            for (field, value) in [
                "SYSLOG_IDENTIFIER": "batond", "PRIORITY": "5", "_TRANSPORT": "journal", "BATON_NODE": "web-1",
                "BATON_EVENT": "node-ready", "BATON_JOBS": "3", "_SYSTEMD_UNIT": "batond.service",
                "CODE_FILE": "BatonDaemon/Daemon.swift",
            ] { #expect(text(entry, field) == value, "\(field)") }
            #expect(text(entry) == "ready jobs=3 node=web-1")
            let invalid = try await journal(machine, "MESSAGE_ID=\(EventKind.jobInvalid.id)").compactMap { text($0) }
            #expect(invalid.contains { $0.contains("unknown key 'comand'; did you mean 'command'?") })
            let failed = try await journal(machine, "MESSAGE_ID=\(EventKind.runFailed.id)")
            #expect(failed.count == 1)
            let failure = try #require(failed.first)
            let run = try #require(text(failure, "BATON_RUN_ID"))
            #expect(text(failure, "BATON_JOB") == "fail")
            #expect(text(failure, "PRIORITY") == "4")
            #expect(text(failure, "BATON_DETAIL") == "exit code 3")
            #expect(
                text(failure)
                    == "run ended job=fail exit_code=3 fence=\(text(failure, "BATON_FENCE") ?? "") outcome=failed run=\(run) detail=\"exit code 3\""
            )
            let started = try await journal(machine, "BATON_EVENT=run-started", "BATON_JOB=talk")
            #expect(started.count == 1)
            #expect(text(try #require(started.first), "BATON_FENCE")?.isEmpty == false)

            // The workload: all of its lines, in order, with the run that they are of.
            let runID = try #require(started.first.flatMap { text($0, "BATON_RUN_ID") })
            let output = try await journal(machine, "BATON_RUN_ID=\(runID)", "SYSLOG_IDENTIFIER=talk")
            #expect(output.allSatisfy { text($0, "BATON_JOB") == "talk" && text($0, "BATON_NODE") == "web-1" })
            #expect(output.allSatisfy { text($0, "_SYSTEMD_UNIT") == "batond.service" })
            let errors = output.filter { text($0, "BATON_STREAM") == "stderr" }
            #expect(errors.map { text($0) } == ["oh no"])
            #expect(errors.map { text($0, "PRIORITY") } == ["3"])
            let lines = output.filter { text($0, "BATON_STREAM") == "stdout" }
            #expect(lines.allSatisfy { text($0, "PRIORITY") == "6" })
            #expect(text(lines[0]) == "hello")
            #expect(lines[1...3].map { text($0)?.count } == [49152, 49152, 100000 - 2 * 49152])
            #expect(lines[1...3].map { text($0, "BATON_LINE_BREAK") } == ["line-max", "line-max", nil])
            #expect(bytes(lines[4]) == [97, 1, 255, 98])
            #expect(lines[5..<20005].map { text($0) } == (1...20000).map { "\($0)" })
            #expect(lines.last.flatMap { text($0) } == "end")
            #expect(lines.last.flatMap { text($0, "BATON_LINE_BREAK") } == "eof")
            #expect(lines.count == 20006)

            // What it means.
            let explained = try await machine.enter(
                "journalctl", "-x", "--no-pager", "MESSAGE_ID=\(EventKind.runFailed.id)")
            #expect(explained.output.contains("Subject: A run of job fail has failed"))
            #expect(explained.output.contains("Run \(run): exit code 3. Its last output says why:"))
            #expect(explained.output.contains("batonctl logs fail"))

            let all = try await machine.enter("journalctl", "--no-pager", "-a", "-o", "export")
            #expect(!all.output.contains(secret))
        }
    }

    @Test func aHungJournalHoldsUpNeitherElectionsNorRenewals() async throws {
        let node = """
            [log]
            level = "debug"
            [store]
            max_lock_timeout = "3s"
            [defaults.lock]
            timeout = "3s"
            [defaults.restart]
            delay = "100ms"
            """
        let jobs = { (machine: Machine) in
            let noise = "while :; do seq 1 200; sleep 0.05; done &"
            return [
                "steady": "command = [\"/usr/bin/test-workload\", \"\(machine.historyInside)\"]",
                "busy":
                    "command = [\"/usr/bin/test-workload\", \"\(machine.historyInside)\", \"--exit-after\", \"50\"]",
                "noisy": "shell = \"\(noise) exec /usr/bin/test-workload \(machine.historyInside)\"",
            ]
        }
        try await withMachine(nodeFile: node, jobs: jobs) { machine in
            #expect(try await machine.enter("systemctl", "start", "batond").code == 0)
            let history = { () throws -> History in
                var history = History(path: machine.history)
                try history.update()
                return history
            }
            let isAlive = { (job: String) throws -> History.Run? in
                try history().runs(of: job).last { BootClock.now() - $0.last < .milliseconds(500) }
            }
            try await eventually(within: .seconds(30), "they run") {
                try isAlive("steady") != nil && isAlive("noisy") != nil
            }
            let before = try #require(try isAlive("steady"))
            let (noisy, elections) = (try isAlive("noisy")?.id, try history().runs(of: "busy").count)
            let journald = try await machine.enter("systemctl", "show", "--value", "-p", "MainPID", "systemd-journald")
            let pid = journald.output.trimmingCharacters(in: .whitespacesAndNewlines)
            #expect(try await machine.enter("kill", "-STOP", pid).code == 0)
            // Longer than a lease, and than what sockets and buffers hold of the daemon's debug messages.
            let stopped = BootClock.now()
            try await eventually(within: .seconds(60), "many elections") {
                try BootClock.now() - stopped > .seconds(8) && history().runs(of: "busy").count > elections + 20
            }
            #expect(try isAlive("steady")?.id == before.id, "its lease was renewed all the while")
            #expect(try isAlive("noisy")?.id == noisy, "and that of one that wrote all the while")
            #expect(try await machine.enter("batonctl", "status").code == 0)
            #expect(try await machine.enter("kill", "-CONT", pid).code == 0)

            // What was dropped is told.
            try await eventually(within: .seconds(20), "the keeper tells") {
                try await journal(machine, "MESSAGE_ID=\(EventKind.outputDropped.id)", "BATON_JOB=noisy").count > 0
            }
            #expect(try await machine.enter("systemctl", "stop", "batond").code == 0)
            #expect(try history().violations().isEmpty)
            #expect(try await journal(machine, "MESSAGE_ID=\(EventKind.nodeStopped.id)").count == 1)
            // The daemon keeps more than it says in so short a time: every run is told of, also those of the dark time.
            let told = try await journal(machine, "BATON_EVENT=run-ended", "BATON_JOB=busy").count
            #expect(try told == history().runs(of: "busy").count)
        }
    }
}
