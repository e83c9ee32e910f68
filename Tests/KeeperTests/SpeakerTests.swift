// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Testing

/// Workloads that speak `sd_notify`, with systemd's own program for it.
@Suite(.timeLimit(.minutes(1))) struct SpeakerTests {
    private func withSpeaker(
        _ script: String, watchdog: Duration? = nil, user: LaunchSpec.Identity? = nil,
        body: (Run) async throws -> Void
    ) async throws {
        try await withRun(
            script,
            configure: { spec in
                let folder = spec.workingDirectory.split(separator: "/").dropLast().joined(separator: "/")
                spec.environment.append("NOTIFY_SOCKET=/\(folder)/runs/\(spec.job)/\(spec.runID)/notify")
                spec.notify = true
                spec.watchdog = watchdog
                spec.stopTimeout = .milliseconds(500)
                if let user { spec.identity = user }
            }, body: body)
    }

    private func notice(_ run: Run, where isWanted: @escaping @Sendable (Bool, String) -> Bool) async throws {
        try await run.report { report in
            if case .notified(let isReady, let status) = report, isWanted(isReady, status) { () } else { nil }
        }
    }

    /// It waits for a barrier too, which is there when its message was read.
    @Test func whatItSaysReachesTheDaemonAndTheNextOne() async throws {
        try await withSpeaker(
            "systemd-notify --status='line 1' && systemd-notify --ready --status='line 2' && echo ok > ok; sleep $M"
        ) { run in
            _ = run.go(for: .seconds(30))
            let asked = BootClock.now()
            #expect(try await run.wrote("ok") == "ok")
            #expect(BootClock.now() - asked < .seconds(4), "it waited for its barrier")
            try await notice(run) { $0 && $1 == "line 2" }
            try await withAdoption(of: run) { adopted in
                try await notice(adopted) { $0 && $1 == "line 2" }
            }
        }
    }

    @Test func aHungWorkloadIsEndedWithAllThatItStarted() async throws {
        try await withSpeaker(
            "trap '' ABRT TERM; sleep $M & systemd-notify --ready; echo up > up; while :; do sleep 0.05; done",
            watchdog: .milliseconds(700)
        ) { run in
            _ = run.go(for: .seconds(30))
            _ = try await run.wrote("up")
            let end = try await run.end()
            #expect(end.reason == .hung)
            #expect(end.exit == .signal(SIGKILL))
            #expect(end.termSent)
            #expect(run.living().isEmpty)
        }
    }

    @Test func oneThatSpeaksGoesOn() async throws {
        try await withSpeaker(
            "systemd-notify --ready; for i in 1 2 3 4 5 6 7 8; do sleep 0.3; systemd-notify WATCHDOG=1; done; exit 7",
            watchdog: .milliseconds(1500)
        ) { run in
            _ = run.go(for: .seconds(30))
            let end = try await run.end()
            #expect(end.reason == .exited)
            #expect(end.exit == .code(7))
        }
    }

    /// Whatever comes in, and however much of it: the lease's end is not late, and the keeper does not mind.
    @Test func aFloodAndNonsenseChangeNothing() async throws {
        let program = """
            import os, socket, time
            s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.connect(os.environ['NOTIFY_SOCKET'])
            for junk in (b'', b'\\\\0', b'=' * 200, os.urandom(4096), b'READY'): s.send(junk)
            try: s.send(b'STATUS=' + b'x' * 100000)
            except OSError: pass
            i = 0
            while True: s.send(b'STATUS=%d' % i); i += 1
            """
        try await withSpeaker("exec /usr/bin/python3 -c \"\(program)\"") { run in
            let deadline = run.go(for: .seconds(3))
            try await notice(run) { !$0 && Int($1) ?? 0 > 1000 }
            let end = try await run.end()
            #expect(end.reason == .leaseLost)
            #expect(end.at - deadline < .milliseconds(250))
            let told = run.log.all.count { if case .report(.notified) = $0 { true } else { false } }
            #expect(told < 20, "five a second")
        }
    }

    @Test(.enabled(if: runsAsRoot)) func onlyItsOwnUserMaySpeak() async throws {
        try await withSpeaker(
            "systemd-notify --status=mine; echo up > up; sleep $M",
            user: LaunchSpec.Identity(uid: 12345, gid: 12345, groups: [])
        ) { run in
            _ = run.go(for: .seconds(30))
            _ = try await run.wrote("up")
            try await notice(run) { $1 == "mine" }
            var info = stat()
            #expect(lstat("\(run.directory.path)/notify", &info) == 0)
            #expect(info.st_mode & 0o777 == 0o600)
            #expect(info.st_uid == 12345)
        }
    }

    @Test func oneThatDoesNotSpeakHasNoSocket() async throws {
        try await withRun("sleep $M") { run in
            _ = run.go(for: .seconds(30))
            _ = try await run.started()
            #expect(access("\(run.directory.path)/notify", F_OK) != 0)
        }
    }
}
