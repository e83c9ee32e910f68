// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import Testing

/// Nobody dies alone: whoever of keeper and guard is killed, nothing of the run stays.
@Suite(.timeLimit(.minutes(1))) struct OrphanTests {
    /// A pipeline, a daemonised grandchild in a session of its own, and one that ignores signals.
    static let sprawl = """
        trap '' TERM HUP
        (setsid sh -c 'setsid sleep $M & sleep $M' &)
        (trap '' TERM INT HUP; sleep $M) &
        sh -c 'sleep $M | sleep $M' &
        wait
        """
    static let size = 5

    @Test(arguments: [true, false]) func killedKeeperTakesEverythingAlong(cgroup: Bool) async throws {
        try await withRun(Self.sprawl, cgroup: cgroup && parentCgroup != nil) { run in
            let hello = try await sprawled(run)
            // The daemon is gone as well: only the guard is left.
            run.link.close()
            kill(hello.keeper, SIGKILL)
            let end = try await run.status()
            #expect(end.reason == .keeperLost)
            #expect(run.living().isEmpty, "the status was written before everything was gone")
            try await until { kill(hello.guardian, 0) != 0 ? () : nil }
        }
    }

    @Test(arguments: [true, false]) func killedGuardTakesEverythingAlong(cgroup: Bool) async throws {
        try await withRun(Self.sprawl, cgroup: cgroup && parentCgroup != nil) { run in
            let hello = try await sprawled(run)
            kill(hello.guardian, SIGKILL)
            let end = try await run.end()
            #expect(end.reason == .guardLost)
            #expect(run.living().isEmpty)
            #expect(try run.directory.status() == end)
            run.link.send(.ack)
            try await until { kill(hello.keeper, 0) != 0 ? () : nil }
        }
    }

    @Test(arguments: [true, false]) func daemonEndsTheRunOfKilledKeeperAndGuard(cgroup: Bool) async throws {
        try await withRun(Self.sprawl, cgroup: cgroup && parentCgroup != nil) { run in
            let hello = try await sprawled(run)
            kill(hello.guardian, SIGSTOP)
            kill(hello.keeper, SIGSTOP)
            kill(hello.guardian, SIGKILL)
            kill(hello.keeper, SIGKILL)
            _ = try await run.log.wait(within: .seconds(5)) { $0 == .keeperDied ? true : nil }
            try await until { KeeperLink.killTree(run.spec) ? () : nil }
            try await expectGone(run)
            if let cgroup = run.spec.cgroup { #expect(access(cgroup, F_OK) != 0) }
        }
    }

    /// Daemonised and with another environment: only their descent gives them away. Once per way to an end.
    @Test(arguments: ["keeper", "guard", "exit"]) func daemonsWithoutEnvironmentAreKilled(way: String) async throws {
        let script = "(env -i setsid sh -c 'setsid sleep '$M' & sleep '$M &); while [ ! -e leave ]; do sleep 0.02; done"
        try await withRun(script, cgroup: false) { run in
            try await endsWithNothingLeft(run, way)
        }
    }

    /// As `su -` does under pam_systemd: out of the run's cgroup, out of reach of cgroup.kill.
    @Test(
        .enabled(if: runsAsRoot && parentCgroup != nil, "needs root and cgroup v2"),
        arguments: ["keeper", "guard", "exit"])
    func processesThatLeftTheCgroupAreKilled(way: String) async throws {
        let procs = (parentCgroup?.path ?? "") + "/cgroup.procs"
        let script = """
            (sh -c 'echo $$ > \(procs); exec env -i setsid sh -c "sleep '$M' & sleep '$M'"' &)
            while [ ! -e leave ]; do sleep 0.02; done
            """
        try await withRun(script) { run in
            try await endsWithNothingLeft(run, way)
        }
    }

    private func endsWithNothingLeft(_ run: Run, _ way: String) async throws {
        let hello = try await run.hello()
        _ = run.go(for: .seconds(30))
        _ = try await run.started()
        try await until { run.living().filter { text("/proc/\($0)/comm") == "sleep\n" }.count == 2 ? () : nil }
        switch way {
        case "keeper": kill(hello.keeper, SIGKILL)
        case "guard": kill(hello.guardian, SIGKILL)
        case _: try Files.write("\(run.scratch)/leave", [])
        }
        _ = try await run.status()
        #expect(run.living().isEmpty, "an end was written before everything was gone")
    }

    /// Processes that are never long the same one: a look at all of them finds some that are gone when it kills them.
    @Test(arguments: 1...4) func theGuardLooksUntilNobodyIsLeft(time: Int) async throws {
        let script = """
            printf 'setsid sh hop "$1" &\n' >hop
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do env -i PATH="$PATH" setsid sh hop $M & done
            echo up >up; while :; do sleep 1; done
            """
        try await withRun(script, cgroup: false) { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(30))
            _ = try await run.wrote("up")
            kill(hello.keeper, SIGKILL)
            let end = try await run.status(within: .seconds(20))
            #expect(end.reason == .keeperLost)
            for _ in 0..<20 where run.living().isEmpty { usleep(5000) }
            #expect(run.living().isEmpty, "an end was written before everything was gone")
        }
    }

    @Test func daemonHearsOfAKilledKeeper() async throws {
        try await withRun("exec sleep $M") { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(20))
            _ = try await run.started()
            kill(hello.keeper, SIGKILL)
            _ = try await run.log.wait(within: .seconds(5)) { $0 == .keeperDied ? true : nil }
            #expect(run.log.all.contains(.disconnected))
            try await expectGone(run)
        }
    }

    @Test func guardIsNoZombieAfterwards() async throws {
        try await withRun("exit 0") { run in
            let hello = try await run.hello()
            _ = run.go(for: .seconds(20))
            _ = try await run.end()
            run.link.send(.ack)
            try await until { kill(hello.guardian, 0) != 0 ? () : nil }
            try await until { kill(hello.keeper, 0) != 0 ? () : nil }
        }
    }

    /// Waits until all of `sprawl` is there.
    private func sprawled(_ run: Run) async throws -> KeeperReport.Hello {
        let hello = try await run.hello()
        _ = run.go(for: .seconds(30))
        _ = try await run.started()
        try await until { run.living().count >= Self.size ? () : nil }
        return hello
    }
}
