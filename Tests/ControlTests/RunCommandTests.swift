// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import Foundation
import Testing
import batonctl

/// `batonctl run` of a scheduled job against a control socket.
@Suite struct RunCommandTests {
    private func report(
        _ state: RequestReport.State, _ change: (inout HistoryLine) -> Void = { _ in }
    ) -> RequestReport {
        var line = HistoryLine(tick: "2026-11-23T02:00:00Z", outcome: "failed")
        line.node = "web-2"
        change(&line)
        return RequestReport(job: "report", id: 41, state: state, run: state == .waiting ? nil : line)
    }

    @Test func withoutWaitingItSaysThatItWasAskedFor() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let result = try await batonctl("run", "report", socket: path)
            #expect(result.code == 0)
            #expect(result.out == "report is asked to run; \"batonctl history report\" will tell how it ended\n")
            #expect(try await batonctl("run", "mail", socket: path).out.hasPrefix("mail may run; "))
            let json = try await batonctl("run", "report", "--json", socket: path)
            #expect(json.out.contains("\"request\": 41"))
        }
        #expect(backend.performed == ["run report", "run mail", "run report"])
    }

    @Test func theEndIsPassedOn() async throws {
        let ends: [(RequestReport, Int32, String)] = [
            (report(.ended) { ($0.outcome, $0.exitCode) = ("succeeded", 0) }, 0, "report: succeeded on web-2\n"),
            (report(.ended) { $0.exitCode = 42 }, 42, "report: failed (exit code 42) on web-2\n"),
            (report(.ended) { $0.signal = 9 }, 137, "report: failed (ended by signal 9) on web-2\n"),
            (report(.ended) { $0.outcome = "timeout" }, 1, "report: timeout on web-2\n"),
            (
                report(.ended) { $0.reason = "could not be started: \u{1b}[31m" }, 1,
                "report: failed (could not be started: \\x1b[31m) on web-2\n"
            ),
        ]
        for (end, code, text) in ends {
            let backend = FakeBackend(looks: [report(.waiting), report(.running), report(.unknown), end])
            try await withServer(backend) { path async throws in
                let result = try await batonctl("run", "report", "--wait", socket: path)
                #expect(result == Finished(code: code, out: text, error: ""))
            }
        }
        try await withServer(FakeBackend(looks: [ends[1].0])) { path async throws in
            let result = try await batonctl("run", "report", "--wait", "--json", socket: path)
            #expect(result.code == 42)
            #expect(try JSONDecoder().decode(RequestReport.self, from: Data(result.out.utf8)) == ends[1].0)
        }
    }

    @Test func theTimeMayBeUpBefore() async throws {
        for (state, reason) in [
            (RequestReport.State.waiting, "no node has started the run yet; it is still wanted"),
            (.running, "the run goes on"),
        ] {
            try await withServer(FakeBackend(looks: [report(state)])) { path async throws in
                let result = try await batonctl("run", "report", "--wait", "--timeout", "300ms", socket: path)
                #expect(result.code == 1 && result.out == "")
                #expect(result.error.contains("the time is up: \(reason)"), "\(result.error)")
            }
        }
    }

    @Test func whatHasNoEndIsNotWaitedFor() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let result = try await batonctl("run", "mail", "--wait", socket: path)
            #expect(result.code == 1 && result.error.contains("mail has no schedule"), "\(result.error)")
            #expect(try await batonctl("run", "storeless", socket: path).code == 69)
        }
        #expect(backend.performed == [])
    }

    @Test func wrongUsage() async throws {
        let nobody = "/nonexistent/control.sock"
        for arguments in [
            ["--timeout", "5s"], ["--wait", "--timeout", "5"], ["--wait", "--timeout", "0s"],
            ["--wait", "--timeout", "-1s"], ["--wait", "--timeout", ""], ["--wait", "--timeout", "soon"],
        ] {
            let result = try await run(
                try built("batonctl"), ["run", "report"] + arguments, environment: ["BATON_SOCKET": nobody])
            #expect(result.code == 64 && result.error.contains("--timeout"), "\(arguments): \(result)")
        }
        #expect(try await batonctl("run", "report", "--wait", socket: nobody).code == 69)
    }
}
