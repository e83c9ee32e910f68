// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// The test plays systemd: a datagram socket, and a process that is told of it.
@Suite struct NotifyTests {
    @Test func everyMessageArrivesInOrder() async throws {
        let messages = try await heard(
            "ready\nstatus 3 jobs: 1 running here\nreloading\nready\nextend 5000000\nstopping\n")
        #expect(messages.count == 6)
        #expect(messages.first == "READY=1")
        #expect(messages.dropFirst().first == "STATUS=3 jobs: 1 running here")
        let reload = try #require(messages.dropFirst(2).first)
        #expect(reload.hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
        #expect(Int64(reload.split(separator: "=").last ?? "") ?? 0 > 0)
        #expect(messages.suffix(3) == ["READY=1", "EXTEND_TIMEOUT_USEC=5000000", "STOPPING=1"])
    }

    @Test func aStatusStaysOneLine() async throws {
        #expect(try await heard("status a\tb\u{1b}\n") == ["STATUS=a\\tb\\x1b"])
    }

    @Test func withoutSystemdNothingHappens() async throws {
        let result = try await run(
            try built("notify-probe"), [], input: "connected\nready\nstatus x\ninterval\nstopping\n")
        #expect(result == Finished(code: 0, out: "false\nnone\n", error: ""))
    }

    @Test func theWatchdogIsOnlyForThePidItNames() async throws {
        let probe = try built("notify-probe")
        // exec keeps the pid: this is how systemd hands it over.
        let mine = try await run(
            "/bin/sh", ["-c", "WATCHDOG_PID=$$ exec \"$0\"", probe], environment: ["WATCHDOG_USEC": "3000000"],
            input: "interval\n")
        #expect(mine == Finished(code: 0, out: "3.0 seconds\n", error: ""))
        let another = try await run(
            probe, [], environment: ["WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "1"], input: "interval\n")
        #expect(another.out == "none\n")
    }

    @Test func pingsEndWhenALoopHangs() async throws {
        // 20 looks are answered, 10 more are not: pings for the answers, and none for the silence.
        let messages = try await heard("pulse 20\n", environment: ["WATCHDOG_USEC": "1000000"])
        #expect(Set(messages) == ["WATCHDOG=1"])
        #expect((5...22).contains(messages.count), "\(messages.count) pings")
    }

    @Test func aLoopThatNeverAnswersEarnsNoPingButItsStart() async throws {
        let messages = try await heard("pulse 0\n", environment: ["WATCHDOG_USEC": "1000000"])
        #expect(messages.count <= 1)
    }

    /// What the probe said to systemd.
    private func heard(_ script: String, environment: [String: String] = [:]) async throws -> [String] {
        try await withFolder { folder async throws in
            let path = folder + "/notify"
            let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            try #require(bound == 0)
            // A queue of ten datagrams is the kernel's default; systemd reads all the time, and so does this.
            let reader = Task {
                var messages: [String] = []
                while true {
                    let isLast = Task.isCancelled
                    messages += received(descriptor)
                    if isLast { return messages }
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            let result = try await run(
                try built("notify-probe"), [], environment: environment.merging(["NOTIFY_SOCKET": path]) { $1 },
                input: script)
            reader.cancel()
            #expect(result == Finished(code: 0, out: "", error: ""))
            return await reader.value
        }
    }

    private func received(_ descriptor: Int32) -> [String] {
        var messages: [String] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { return messages }
            messages.append(String(decoding: buffer[..<count], as: UTF8.self))
        }
    }
}
