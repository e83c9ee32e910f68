// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import Foundation
import Glibc
import Testing

/// `batonctl logs -f` against a control socket.
@Suite struct FollowTests {
    @Test func outputIsOnStdoutAndTheRestOnStderr() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("logs", "-f", "mail", "-n", "4", socket: path)
            #expect(result.out == "4 lines\n1\n2\n3\n")
            #expect(
                result.error == """
                    batonctl: 12 bytes were skipped: they came faster than they were read
                    batonctl: run r-1 has ended

                    """)
            #expect(result.code == 0)
        }
    }

    @Test func withoutANumberItBeginsWithTenLines() async throws {
        try await withServer { path async throws in
            #expect(try await batonctl("logs", "--follow", "mail", socket: path).out.hasPrefix("10 lines\n"))
        }
    }

    @Test func jsonHasALineForEachLine() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("logs", "-f", "mail", "--json", socket: path)
            #expect(
                result.out == """
                    {"fence":7,"job":"mail","line":"10 lines","run_id":"r-1"}
                    {"fence":7,"job":"mail","run_id":"r-1","skipped_bytes":12}
                    {"fence":7,"job":"mail","line":"1","run_id":"r-1"}
                    {"fence":7,"job":"mail","line":"2","run_id":"r-1"}
                    {"fence":7,"job":"mail","line":"3","run_id":"r-1"}
                    {"ended":"r-1","fence":7,"job":"mail","run_id":"r-1"}

                    """)
        }
    }

    @Test func whoLeavesIsNoticed() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let left = try await run(
                "/bin/bash",
                [
                    "-c", "\"$0\" logs -f report --socket \"$1\" | head -2; echo ${PIPESTATUS[0]}",
                    try built("batonctl"), path,
                ])
            #expect(left.out == "10 lines\n1\n0\n")
            for _ in 0..<500 where backend.closed.value == 0 { try await Task.sleep(for: .milliseconds(10)) }
            #expect(backend.closed.value == 1)
        }
    }

    @Test func aJobThatIsNotThereIsRefusedAtOnce() async throws {
        try await withServer { path async throws in
            #expect(
                try await batonctl("logs", "-f", "nothing", socket: path)
                    == Finished(code: 1, out: "", error: "batonctl: no job \"nothing\" on this node\n"))
            #expect(try await batonctl("logs", "mail", "-n", "-3", socket: path).code == 64)
            #expect(try await exchange(path, "GET /v1/jobs/mail/logs/follow?lines=x").status == 400)
        }
    }

    @Test func theLastLinesAndWhatThereIsToSayOfThem() async throws {
        try await withServer(FakeBackend(output: Array("1\n2\n3\n4".utf8))) { path async throws in
            #expect(
                try await batonctl("logs", "mail", "-n", "2", socket: path)
                    == Finished(code: 0, out: "3\n4", error: "batonctl: mail runs on web-2\n"))
        }
    }

    @Test(arguments: [
        ("", 3, ""), ("a\n", 1, "a\n"), ("a\nb\nc\n", 2, "b\nc\n"), ("a\nb\nc", 2, "b\nc"), ("a\nb\n", 9, "a\nb\n"),
        ("a\n", 0, ""), ("\n\n\n", 2, "\n\n"),
    ])
    func lastLines(_ text: String, _ count: Int, _ expected: String) {
        #expect(Array(text.utf8).lastLines(count) == Array(expected.utf8))
    }
}
