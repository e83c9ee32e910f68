// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Glibc
import Testing
import batonctl

/// `batonctl next`, for a job that a daemon has and for a file.
@Suite struct NextTests {
    @Test func theTextHasWhatIsOfInterest() throws {
        // 2026-11-26 12:00 UTC
        let noon: Int64 = 1_795_694_400
        let expression = try CronExpression("0 2 1 * *", job: "report")
        #expect(
            NextTable.text(NextReport(job: "report", ScheduleSettings(.cron(expression, .utc)), after: noon, count: 2))
                == """
                report: 0 2 1 * * (UTC)

                UTC
                2026-12-01T02:00:00Z
                2027-01-01T02:00:00Z
                """)
        var settings = ScheduleSettings(.every(seconds: 5400))
        settings.jitter = .seconds(600)
        let report = NextReport(job: "report", settings, after: noon, count: 2)
        let starts = report.ticks.map(\.starts)
        #expect(
            NextTable.text(report) == """
                report: every 1h30m (UTC)

                UTC                   STARTS (UTC)
                2026-11-26T13:30:00Z  \(starts[0])
                2026-11-26T15:00:00Z  \(starts[1])
                """)
        #expect(zip(report.ticks.map(\.tick), starts).allSatisfy { $0 < $1 })
        let last = NextReport(
            job: "report", ScheduleSettings(.every(seconds: 60)), after: Schedule.instants.upperBound, count: 5)
        #expect(NextTable.text(last) == "report: every 1m (UTC)\nnever again")
    }

    @Test func aFileThatNoDaemonReads() async throws {
        try await withFolder { folder async throws in
            let file = folder + "/report.toml"
            try writeFile(file, "shell = 'true'\nschedule = '30 2 * * *'\ntimezone = 'Asia/Kolkata'")
            let text = try await batonctl("next", file, "-n", "3")
            #expect(text.code == 0 && text.error == "")
            let lines = text.out.split(separator: "\n").map(String.init)
            #expect(lines.count == 5)
            #expect(lines.first == "report: 30 2 * * * (Asia/Kolkata)")
            #expect(lines.dropFirst(2).allSatisfy { $0.contains("T02:30:00+05:30  2") && $0.hasSuffix("T21:00:00Z") })

            let json = try await batonctl("next", "--json", file)
            let report = try JSONDecoder().decode(NextReport.self, from: Data(json.out.utf8))
            #expect(report.timezone == "Asia/Kolkata" && report.schedule == "30 2 * * *" && report.ticks.count == 5)
            let now = try #require(report.ticks.first.flatMap { try? Date($0.tick, strategy: .iso8601) })
            #expect((0...86400).contains(now.timeIntervalSinceNow.rounded(.up)))
        }
    }

    @Test func aJobThatADaemonHas() async throws {
        try await withServer { path async throws in
            let text = try await batonctl("next", "report", "-n", "1", socket: path)
            #expect(
                text
                    == Finished(code: 0, out: "report: every 1m (UTC)\n\nUTC\n2026-11-26T12:01:00Z\n", error: ""))
            let json = try await batonctl("next", "report", "--json", socket: path)
            #expect(try JSONDecoder().decode(NextReport.self, from: Data(json.out.utf8)).ticks.count == 5)
            let unknown = try await batonctl("next", "nothing", socket: path)
            #expect(unknown == Finished(code: 1, out: "", error: "batonctl: no job \"nothing\" on this node\n"))
            #expect(try await exchange(path, "GET /v1/jobs/report/next?ticks=1001").status == 400)
        }
        #expect(try await batonctl("next", "report", socket: "/nonexistent/control.sock").code == 69)
    }

    @Test(
        arguments: [
            ("report.toml", "shell = 'true'", 1, "report has no schedule: it is kept running"),
            (
                "report.toml", "shell = 'true'\nschedule = '61 * * * *'", 78,
                ":2: schedule: minute '61' cannot be; wanted 0 to 59"
            ),
            ("report.toml", "schedule = '@daily'\nevery = '5m'", 78, "every: is given, and schedule too"),
            ("report.conf", "", 78, "a job file's name ends in .toml"),
        ] as [(String, String, Int32, String)])
    func whatCannotBeTold(name: String, text: String, code: Int32, reason: String) async throws {
        try await withFolder { folder async throws in
            try writeFile("\(folder)/\(name)", text)
            let result = try await batonctl("next", "\(folder)/\(name)")
            #expect(result.code == code && result.out == "")
            #expect(result.error.contains(reason), "\(result.error)")
        }
    }

    @Test func wrongUsage() async throws {
        let missing = try await batonctl("next", "/nonexistent/report.toml")
        #expect(missing.code == 78 && missing.error == "batonctl: /nonexistent/report.toml: there is no such file\n")
        for arguments in [["next"], ["next", ""], ["next", "x.toml", "-n", "0"], ["next", "x.toml", "-n", "1001"]] {
            #expect(try await run(try built("batonctl"), arguments, environment: [:]).code == 64)
        }
    }
}
