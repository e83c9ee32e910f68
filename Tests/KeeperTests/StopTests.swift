// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Testing

/// Stops, and daemons that come and go.
@Suite(.timeLimit(.minutes(1))) struct StopTests {
    @Test func workloadThatIgnoresItsStopSignalIsKilledAfterTheTimeout() async throws {
        try await withRun(
            "trap 'echo usr1 > heard' USR1; echo up > up; while :; do sleep 0.02; done",
            configure: {
                $0.stopSignal = SIGUSR1
                $0.stopTimeout = .milliseconds(500)
            }
        ) { run in
            _ = run.go(for: .seconds(20))
            _ = try await run.wrote("up")
            let asked = BootClock.now()
            run.link.send(.stop)
            let end = try await run.end()
            #expect(end.reason == .stopped)
            #expect(end.exit == .signal(SIGKILL))
            #expect(end.termSent)
            #expect(end.at - asked >= .milliseconds(500))
            #expect(end.at - asked < .seconds(2))
            #expect(try await run.wrote("heard") == "usr1")
        }
    }

    /// As a service manager stops a unit whose main process is the guard; or the last TERM of a shutdown, for both.
    @Test(arguments: ["guard", "keeper", "both"]) func aTermForTheKeeperIsAStop(to whom: String) async throws {
        try await withRun(
            "trap 'exit 5' USR1; echo up > up; while :; do sleep 0.02; done", configure: { $0.stopSignal = SIGUSR1 }
        ) { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(20))
            _ = try await run.wrote("up")
            if whom != "keeper" { kill(hello.guardian, SIGTERM) }
            if whom != "guard" { kill(hello.keeper, SIGTERM) }
            let end = try await run.end()
            #expect(end.reason == .stopped)
            #expect(end.exit == .code(5))
        }
    }

    @Test func stopReachesTheWholePipeline() async throws {
        try await withRun("sleep $M | sleep $M") { run in
            _ = run.go(for: .seconds(20))
            try await until { run.living().count == 2 ? () : nil }
            let asked = BootClock.now()
            run.link.send(.stop)
            let end = try await run.end()
            #expect(end.reason == .stopped)
            #expect(end.at - asked < .seconds(1), "it was not the stop signal that ended it")
            #expect(run.living().isEmpty)
        }
    }

    @Test func killIsAtOnce() async throws {
        try await withRun("trap '' TERM; (trap '' TERM; sleep $M) & echo up > up; wait") { run in
            _ = run.go(for: .seconds(20))
            _ = try await run.wrote("up")
            run.link.send(.kill)
            let end = try await run.end()
            #expect(end.reason == .killed)
            #expect(!end.termSent)
            #expect(run.living().isEmpty)
        }
    }

    @Test func endIsOnlyToldWhenNothingIsLeft() async throws {
        // The main process leaves at once; what it started in the background stays, in sessions of its own.
        try await withRun("(setsid sh -c 'sleep $M' &) ; (setsid setsid sleep $M &); sleep 0.2; exit 7") { run in
            _ = run.go(for: .seconds(20))
            let end = try await run.end()
            #expect(run.living().isEmpty)
            #expect(end.reason == .exited)
            #expect(end.exit == .code(7))
            #expect(try run.directory.status() == end)
            if let cgroup = run.spec.cgroup { #expect(access(cgroup, F_OK) != 0) }
        }
    }

    @Test func runOutlivesItsDaemonAndObeysTheNext() async throws {
        try await withRun("exec sleep $M") { run in
            let deadline = run.go(for: .seconds(20))
            let pid = try await run.started()
            run.link.close()
            try await withAdoption(of: run) { next in
                let hello = try await next.hello()
                #expect(hello.phase == .running)
                #expect(hello.runID == run.spec.runID)
                #expect(hello.deadline == deadline)
                #expect(hello.workload == pid)
                #expect(kill(pid, 0) == 0)
                next.link.send(.stop)
                let end = try await next.end()
                #expect(end.reason == .stopped)
                next.link.send(.ack)
                try await until { kill(hello.guardian, 0) != 0 ? () : nil }
            }
        }
    }

    @Test func newestConnectionIsTheOneObeyed() async throws {
        try await withRun("exec sleep $M") { run in
            _ = run.go(for: .seconds(20))
            let pid = try await run.started()
            try await withAdoption(of: run) { next in
                _ = try await next.hello()
                _ = try await run.log.wait(within: .seconds(5)) { $0 == .disconnected ? true : nil }
                run.link.send(.kill)  // goes nowhere
                next.link.send(.tail)
                _ = try await next.report { if case .tail = $0 { true } else { nil } }
                #expect(kill(pid, 0) == 0)
            }
        }
    }

    @Test func endWithoutADaemonIsOnDisk() async throws {
        try await withRun("sleep 0.3; echo bye; exit 5") { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(20))
            _ = try await run.started()
            run.link.close()
            let end = try await run.status()
            #expect(end.exit == .code(5))
            #expect(end.reason == .exited)
            #expect(String(decoding: try run.directory.tail(), as: UTF8.self) == "bye\n")
            try await until { kill(hello.keeper, 0) != 0 && kill(hello.guardian, 0) != 0 ? () : nil }
            #expect(throws: SystemError.self) { try KeeperLink.connect(to: run.directory, reactor: run.reactor) }
        }
    }

    @Test func secondRunOfAJobIsRefusedWhileTheFirstGoesOn() async throws {
        try await withRun("exec sleep $M") { first in
            _ = first.go(for: .seconds(20))
            _ = try await first.started()
            let runtime = String(first.directory.path.split(separator: "/").dropLast(3).joined(separator: "/"))
            try await withRun("touch ran", runtime: "/" + runtime) { second in
                _ = second.go(for: .seconds(20))
                let end = try await second.end()
                #expect(end.reason == .startFailed(step: .lock, errno: EWOULDBLOCK))
                #expect(access("\(second.scratch)/ran", F_OK) != 0)
            }
            first.link.send(.kill)
            _ = try await first.end()
            try await withRun("exit 0", runtime: "/" + runtime) { third in
                _ = third.go(for: .seconds(20))
                let end = try await third.end()
                #expect(end.exit == .code(0))
            }
        }
    }
}
