// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Testing

/// `batonctl pause` and `batonctl resume` against a control socket.
@Suite struct PauseCommandTests {
    @Test func theySayWhatTheyDid() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let pause = try await batonctl("pause", "report", socket: path)
            #expect(
                pause
                    == Finished(
                        code: 0, out: "report is paused on every node, until \"batonctl resume report\"\n", error: ""))
            let timed = try await batonctl("pause", "report", "--for", "1h30m", socket: path)
            #expect(timed.out == "report is paused on every node, for 1h30m\n")
            let resume = try await batonctl("resume", "report", socket: path)
            #expect(resume == Finished(code: 0, out: "report is not paused\n", error: ""))
            #expect(try await batonctl("pause", "mail", "--json", socket: path).out.contains("\"done\": \"pause\""))
            for verb in ["pause", "resume"] {
                #expect(try await batonctl(verb, "nothing", socket: path).code == 1)
                #expect(try await batonctl(verb, "storeless", socket: path).code == 69)
            }
        }
        #expect(backend.performed == ["pause report", "pause 5400000 report", "resume report", "pause mail"])
    }

    @Test func wrongUsage() async throws {
        let nobody = "/nonexistent/control.sock"
        for duration in ["", "0s", "5", "-1s", "soon", "101 years", "40000d"] {
            let result = try await batonctl("pause", "report", "--for", duration, socket: nobody)
            #expect(result.code == 64 && result.error.contains("--for"), "\(duration): \(result)")
        }
        #expect(try await batonctl("pause", socket: nobody).code == 64)
        #expect(try await batonctl("pause", "report", socket: nobody).code == 69)
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            for time in ["0", "-1", "x", "3155760000001", ""] {
                let answer = try await exchange(path, "POST /v1/jobs/report/pause?milliseconds=\(time)")
                #expect(answer.status == 400, "\(time)")
            }
        }
        #expect(backend.performed.isEmpty)
    }
}
