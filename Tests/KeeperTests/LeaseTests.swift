// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Testing

/// Nothing starts without a go, and nothing outlives its deadline.
@Suite(.timeLimit(.minutes(1))) struct LeaseTests {
    @Test func daemonThatLeavesBeforeGoLeavesNothing() async throws {
        try await withRun("touch ran; exec sleep $M") { run in
            let hello = try await run.hello()
            #expect(hello.phase == .waiting)
            #expect(hello.deadline == nil)
            run.link.close()
            try await until { kill(hello.keeper, 0) != 0 && kill(hello.guardian, 0) != 0 ? () : nil }
            #expect(access("\(run.scratch)/ran", F_OK) != 0)
            #expect(try run.directory.status() == nil)
        }
    }

    @Test func workloadIsGoneByTheDeadlineWithoutAnyMessage() async throws {
        // It notes the TERM and stays; it notes its last moment as well.
        try await withRun(
            """
            trap 'cut -d" " -f1 /proc/uptime > term' TERM
            while :; do cut -d" " -f1 /proc/uptime > beat.new; mv beat.new beat; done
            """
        ) { run in
            let deadline = run.go(for: .milliseconds(1500))
            let pid = try await run.started()
            let end = try await run.end()
            #expect(end.reason == .leaseLost)
            #expect(end.exit == .signal(SIGKILL))
            #expect(end.termSent)
            #expect(end.at >= deadline && end.at - deadline < .seconds(1))
            #expect(kill(pid, 0) != 0)
            // /proc/uptime counts suspend, in hundredths of a second.
            let uptime = try #require(Double(try await run.wrote("term")))
            let early = Double(deadline.nanoseconds) / 1e9 - uptime
            #expect(early > 0.1 && early < 0.35, "TERM came \(early) s before the deadline")
            let last = try #require(Double(try await run.wrote("beat")))
            #expect(last <= Double(deadline.nanoseconds) / 1e9 + 0.02)
        }
    }

    @Test func workloadThatObeysTheTermEndsBeforeTheDeadline() async throws {
        try await withRun("trap 'exit 3' TERM; while :; do sleep 0.02; done") { run in
            let deadline = run.go(for: .seconds(1))
            let end = try await run.end()
            #expect(end.at < deadline)
            #expect(end.reason == .leaseLost)
            #expect(end.exit == .code(3))
        }
    }

    @Test func extendedLeaseLastsLonger() async throws {
        try await withRun("exec sleep $M") { run in
            let first = run.go(for: .seconds(1))
            let second = first + .seconds(1)
            run.link.send(.extend(deadline: second))
            run.link.send(.extend(deadline: first))  // late or out of order: the longer one stands
            let end = try await run.end()
            #expect(end.at > first && end.at <= second + .milliseconds(250))
            #expect(end.reason == .leaseLost)
        }
    }

    @Test func goAfterItsDeadlineStartsNothing() async throws {
        try await withRun("touch ran") { run in
            run.link.send(.go(deadline: BootClock.now() - .milliseconds(1)))
            let end = try await run.end()
            #expect(end.reason == .leaseLost)
            #expect(end.exit == nil)
            #expect(access("\(run.scratch)/ran", F_OK) != 0)
        }
    }

    @Test func stoppedKeeperDoesNotKeepTheWorkloadAlive() async throws {
        // The workload stops its keeper itself; then two of its processes go on, each in a session of its own.
        let beat = "while :; do cut -d' ' -f1 /proc/uptime > $0.new; mv $0.new $0; done"
        try await withRun(
            "setsid sh -c \"$BEAT\" beat2 & kill -STOP $PPID; sh -c \"$BEAT\" beat1",
            configure: {
                $0.environment.append("BEAT=\(beat)")
            }
        ) { run in
            let hello = try await run.hello()
            defer { kill(hello.keeper, SIGCONT) }
            let deadline = run.go(for: .seconds(1))
            // Nobody but the guard is left to do it.
            try await until { BootClock.now() > deadline + .milliseconds(400) ? () : nil }
            let over = Double(deadline.nanoseconds) / 1e9
            for name in ["beat1", "beat2"] {
                let last = try #require(Double(try await run.wrote(name)))
                #expect(last > over - 0.5 && last < over + 0.1)
            }
            kill(hello.keeper, SIGCONT)
            let end = try await run.end()
            #expect(end.reason == .leaseLost)
        }
    }

    @Test func workloadCanAskWhetherItsLeaseHolds() async throws {
        try await withRun("exec sleep $M") { run in
            _ = run.go(for: .seconds(100))
            _ = try await run.started()
            let answer = try ask(run.directory.heldSocket)
            let words = answer.split(separator: " ")
            #expect(words.first == "held")
            let left = try #require(words.last.flatMap { Int($0.dropLast()) })
            #expect(left > 50_000 && left <= 100_000)
        }
    }

    private func ask(_ path: String) throws -> String {
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(fd) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(connected == 0)
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = read(fd, &buffer, buffer.count)
        return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
    }
}
