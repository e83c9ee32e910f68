// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Testing
import batonctl

/// `batonctl history` against a control socket.
@Suite struct HistoryCommandTests {
    @Test func itIsATableForPeople() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("history", "report", "--output", "--socket", path)
            #expect(
                result
                    == Finished(
                        code: 0,
                        out: """
                            TICK                  ATTEMPT  NODE          FENCE  STARTED               FINISHED              OUTCOME
                            an operator's         1        web-1         9      -                     -                     running
                            2026-11-23T02:02:00Z  2        evil\\x1b[31m  8      2026-11-23T02:02:00Z  2026-11-23T02:02:07Z  failed (exit code 3)
                                | one
                                | \ttwo \\x1b]0;owned\\x07
                            2026-11-23T01:00:00Z  -        -             -      -                     -                     missed: at least 61 ticks, up to 2026-11-23T02:01:00Z

                            """, error: ""))
            // Without being asked for, output is not even sent.
            #expect(try await !exchange(path, "GET /v1/jobs/report/history").body.contains("owned"))
            let plain = try await batonctl("history", "report", "-n", "2", socket: path)
            #expect(plain.code == 0 && plain.out.split(separator: "\n").count == 3 && !plain.out.contains("|"))
            let none = try await batonctl("history", "held", socket: path)
            #expect(none == Finished(code: 0, out: "no run of held yet\n", error: ""))
            let json = try await batonctl("history", "report", "--json", "--output", socket: path)
            let report = try JSONDecoder().decode(HistoryReport.self, from: Data(json.out.utf8))
            #expect(report.runs == FakeBackend.runs)
        }
    }

    @Test func howARunEnded() {
        var line = HistoryLine(tick: "t", outcome: "failed")
        line.signal = 9
        #expect(HistoryTable.outcome(of: line) == "failed (ended by signal 9)")
        line.reason = "ended by signal 9 (Killed)"
        #expect(HistoryTable.outcome(of: line) == "failed (ended by signal 9 (Killed))")
        #expect(HistoryTable.outcome(of: HistoryLine(tick: "t", outcome: "succeeded")) == "succeeded")
        let report = HistoryReport(job: "a", runs: [line], unreadable: 2)
        #expect(HistoryTable.text(report).hasSuffix("\n2 more can't be read: a later version's, or spoilt"))
    }

    @Test(
        arguments: [
            ("nothing", 1, "no job \"nothing\" on this node"), ("mail", 1, "mail has no schedule: it is kept running"),
            ("storeless", 69, "the store can't be reached"), ("broken", 1, "the mark was refused"),
        ] as [(String, Int32, String)])
    func whatCannotBeTold(job: String, code: Int32, reason: String) async throws {
        try await withServer { path async throws in
            let result = try await batonctl("history", job, socket: path)
            #expect(result.code == code && result.out == "")
            #expect(result.error.contains(reason), "\(result.error)")
        }
    }

    @Test func wrongUsage() async throws {
        let nobody = "/nonexistent/control.sock"
        #expect(try await batonctl("history", "report", socket: nobody).code == 69)
        for number in ["0", "101", "x"] {
            #expect(try await batonctl("history", "report", "-n", number, socket: nobody).code == 64)
        }
        try await withServer { path async throws in
            for query in ["lines=0", "lines=101", "lines=x", "lines=", "output=yes"] {
                let answer = try await exchange(path, "GET /v1/jobs/report/history?\(query)")
                #expect(answer.status == 400 && answer.body.contains("\"error\""), "\(query)")
            }
            for id in ["0", "-1", "x", "99999999999999999999"] {
                #expect(try await exchange(path, "GET /v1/jobs/report/requests/\(id)").status == 400)
            }
            #expect(try await exchange(path, "POST /v1/jobs/report/run?wait=1").status == 400)
        }
    }
}
