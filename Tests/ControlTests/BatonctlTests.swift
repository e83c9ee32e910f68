// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import Foundation
import Glibc
import Testing
import batonctl

/// The built `batonctl` against a control socket.
@Suite struct BatonctlTests {
    @Test func statusIsATableForPeople() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("status", "--socket", path)
            #expect(
                result
                    == Finished(
                        code: 0,
                        out: """
                            node   web-1, batond 0.1.0
                            store  valkey://127.0.0.1:6379/0, connected

                            JOB     STATE      HOLDER        SINCE                 FENCE             REASON
                            report  running    web-1 (here)  2026-11-23T02:00:00Z  1763884800123456
                            mail    standby    web-2         2026-11-22T02:00:00Z  7
                            held    held-down  -             -                     -                 stopped by uid 0 on web-2

                            """, error: ""))
        }
    }

    @Test func statusOfOneJobTellsEverything() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("status", "report", socket: path)
            #expect(result.code == 0)
            for part in [
                "report: Nightly report", "state     running here", "web-1 (here) since 2026-11-23T02:00:00Z",
                "fence     1763884800123456", "pid 4242, attempt 1, lease for another 12.3 s",
                "failed (exit code 3) on web-1",
            ] {
                #expect(result.out.contains(part), "\(part) is missing:\n\(result.out)")
            }
        }
    }

    @Test func statusInJSONIsTheReport() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("status", "--json", socket: path)
            #expect(result.code == 0)
            let report = try JSONDecoder().decode(StatusReport.self, from: Data(result.out.utf8))
            #expect(report == FakeBackend.sample)
            #expect(result.out.contains("\n  \"node\": \"web-1\""))
        }
    }

    @Test func actsSayWhatTheyDid() async throws {
        let backend = FakeBackend()
        try await withServer(backend) { path async throws in
            let stop = try await batonctl("stop", "report", socket: path)
            #expect(stop.code == 0)
            #expect(stop.out.hasPrefix("report is held down on every node"))
            let run = try await batonctl("stop", "mail", socket: path)
            #expect(run.out == "the run of mail on web-1 is being stopped; its next ticks are run as ever\n")
            #expect(try await batonctl("start", "report", socket: path).code == 0)
            #expect(try await batonctl("run", "mail", "--json", socket: path).out.contains("\"done\": \"run\""))
        }
        #expect(backend.performed == ["stop report", "stop mail", "run report", "run mail"])
    }

    @Test func aFailureHasItsExitCodeAndSaysWhy() async throws {
        try await withServer { path async throws in
            #expect(
                try await batonctl("stop", "nothing", socket: path)
                    == Finished(code: 1, out: "", error: "batonctl: no job \"nothing\" on this node\n"))
            #expect(try await batonctl("logs", "nothing", socket: path).code == 1)
            #expect(try await batonctl("run", "broken", socket: path).code == 1)
            let storeless = try await batonctl("stop", "storeless", socket: path)
            #expect(storeless.code == 69)
            #expect(storeless.error.contains("the store can't be reached"))
            #expect(try await batonctl("stop", "a\u{1b}b", socket: path).error.contains("\u{1b}") == false)
        }
    }

    @Test func noDaemonIs69() async throws {
        try await withFolder { folder async throws in
            let path = folder + "/control.sock"
            #expect(
                try await batonctl("status", socket: path)
                    == Finished(
                        code: 69, out: "", error: "batonctl: batond is not running here (no socket at \(path))\n"))
            try writeFile(path)
            let stale = try await batonctl("status", socket: path)
            #expect(stale.code == 69)
            #expect(stale.error.contains("nobody listens"))
        }
    }

    @Test func aDaemonThatHangsUpIs69() async throws {
        try await withFolder { folder async throws in
            let path = folder + "/control.sock"
            let server = try rudeServer(path)
            let result = try await batonctl("status", socket: path)
            #expect(result.code == 69)
            #expect(result.error.contains("does not answer"))
            close(server)
        }
    }

    @Test func wrongUsageIs64() async throws {
        for arguments in [["stop"], ["frobnicate"], ["status", "--bogus"], ["status", "--socket", ""]] {
            let result = try await run(try built("batonctl"), arguments)
            #expect(result.code == 64, "\(arguments): \(result)")
        }
    }

    @Test func sharedOptionsMayComeFirst() async throws {
        try await withServer { path async throws in
            let result = try await batonctl("--socket", path, "--json", "status", "mail")
            #expect(result.code == 0)
            #expect(result.out.contains("\"name\": \"mail\""))
        }
    }

    @Test(arguments: [
        (["status"], ["status"]), (["--json", "status", "x"], ["status", "--json", "x"]),
        (["--socket", "/s", "stop", "--", "-x"], ["stop", "--socket", "/s", "--", "-x"]),
        (["--socket=/s", "run", "a"], ["run", "--socket=/s", "a"]), (["--socket"], ["--socket"]), ([], []),
        (["--help"], ["--help"]),
    ])
    func sharedOptionsAreMovedBehindTheCommand(_ given: [String], _ moved: [String]) {
        #expect(ArgumentOrder.sharedOptionsLast(given) == moved)
    }

    @Test func theVersionIsSaid() async throws {
        #expect(
            try await batonctl("--version") == Finished(code: 0, out: "batonctl \(BatonVersion.current)\n", error: ""))
    }

    @Test func logsAreBytesUnlessAPersonReads() async throws {
        let output: [UInt8] = Array("a\u{1b}[31mb\tc\n".utf8) + [0xff, 0x0a]
        try await withServer(FakeBackend(output: output)) { path async throws in
            try await withFolder { folder async throws in
                let raw = try await run(
                    "/bin/sh",
                    ["-c", "\"$0\" logs report --socket \"$1\" > \"$2\"", try built("batonctl"), path, folder + "/out"])
                #expect(raw.code == 0)
                #expect(try Data(contentsOf: URL(fileURLWithPath: folder + "/out")) == Data(output))
                // script(1) gives it a terminal.
                let shown = try await run(
                    "/usr/bin/script",
                    ["-qec", "'\(try built("batonctl"))' logs report --socket '\(path)'", "/dev/null"])
                #expect(shown.out == "a\\x1b[31mb\tc\r\n\u{fffd}\r\n")
            }
        }
    }

    @Test func logsToAClosedPipeEndQuietly() async throws {
        let output = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        try await withServer(FakeBackend(output: output)) { path async throws in
            let result = try await run(
                "/bin/sh", ["-c", "\"$0\" logs report --socket \"$1\" | head -c 1", try built("batonctl"), path])
            #expect(result == Finished(code: 0, out: "x", error: ""))
        }
    }

    /// Something that listens, accepts once for the probe and once for the request, and says nothing sensible.
    private func rudeServer(_ path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && listen(descriptor, 8) == 0)
        Thread.detachNewThread {
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                _ = Array("nonsense\r\n\r\n".utf8).withUnsafeBytes {
                    send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                close(connection)
            }
        }
        return descriptor
    }
}
