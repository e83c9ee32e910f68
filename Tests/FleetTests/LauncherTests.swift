// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What every launcher must do, under a real systemd.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct LauncherTests {
    /// Processes that leave the run in every way there is are gone before the lock is released, so before the next run.
    @Test(arguments: LauncherKind.allCases) func whoLeavesTheRunIsGoneBeforeTheRelease(launcher: LauncherKind)
        async throws
    {
        try await withLauncherMachine(launcher, job: { Self.leavers($0) }) { machine, history in
            // The second is there once all the others are.
            let run = try await history.run(processes: 2)
            // As pam_systemd does it, and by hand.
            for (name, place) in [("su", "session-"), ("moved", "/elsewhere")] {
                let leaver = try #require(try history.lines(name).last).pid
                let cgroup = try await machine.enter("cat", "/proc/\(leaver)/cgroup").output
                #expect(cgroup.contains(place), "\(name) has not left: \(cgroup)")
            }
            let next = try await history.run(after: run)
            #expect(next.fence > run.fence)
            for name in ["su", "moved", "daemon"] {
                let lines = try history.lines(name).filter { $0.at < next.first }
                let pids = Set(lines.map(\.pid))
                #expect(!pids.isEmpty)
                for line in try history.lines(name) where pids.contains(line.pid) {
                    #expect(line.at < next.first, "\(name) lived on beside the next run")
                }
            }
        }
    }

    /// batond is kept from most of the machine, its runs from nothing.
    @Test func batondWorksInItsSandbox() async throws {
        let sandbox = try String(contentsOfFile: Checkout.path + "/systemd/batond-sandbox.conf", encoding: .utf8)
        var exposures: [String: String] = [:]
        try await withLauncherMachine(
            .systemd,
            job: { "shell = '''\ntouch /usr/touched && exec /usr/bin/test-workload \($0) --daemonise\n'''\n" },
            boot: { machine in
                exposures["without"] = try await machine.exposure()
                let folder = "/etc/systemd/system/batond.service.d"
                let script = "mkdir -p \(folder) && printf %s \"$1\" >\(folder)/sandbox.conf && systemctl daemon-reload"
                _ = try await machine.enter("/bin/sh", "-c", script, "sh", sandbox)
                exposures["with"] = try await machine.exposure()
            }
        ) { machine, history in
            print("systemd-analyze security batond.service: \(exposures)")
            let run = try await history.run(processes: 2)
            #expect(try await machine.property("ProtectSystem") == "strict")
            #expect(!(try await machine.journal()).contains("keepers get no real-time priority"))
            // Whatever it needs its rights for: it ends a run whose keepers are gone, and stops another.
            let (keeper, guardian) = try machine.keepers(of: run)
            for pid in [guardian, keeper] { kill(pid, SIGKILL) }
            let next = try await history.run(after: run, processes: 2)
            #expect(try await machine.enter("batonctl", "stop", "job").code == 0)
            try await eventually("it is held down") { try await machine.status()?.state == .heldDown }
            #expect(try history.lines().contains { $0.run == next.id && $0.event == "term" })
            #expect(try await machine.enter("systemctl", "stop", "batond").code == 0)
            #expect(try await machine.property("Result") == "success")
            #expect(try history.violations().isEmpty)
        }
    }

    /// None of them has the run's id in its environment.
    private static func leavers(_ history: String) -> String {
        let workload = "env -i /usr/bin/test-workload \(history)"
        return """
            shell = '''
            /usr/bin/test-workload \(history) --exit-after 0
            su - -c "exec \(workload)-su --ignore-term" &
            mkdir -p /sys/fs/cgroup/elsewhere
            sh -c 'echo $$ >/sys/fs/cgroup/elsewhere/cgroup.procs && exec \(workload)-moved --ignore-term' &
            setsid sh -c '\(workload)-daemon --ignore-term & exit' &
            until [ -s \(history)-su ] && [ -s \(history)-moved ] && [ -s \(history)-daemon ]; do sleep 0.05; done
            exec /usr/bin/test-workload \(history) --exit-after 2000
            '''
            restart.delay = "100ms"
            """
    }

    @Test(arguments: LauncherKind.allCases) func runsOutliveTheirDaemonAndNotTheirKeeper(launcher: LauncherKind)
        async throws
    {
        try await withServer { server in
            try await withLauncherMachine(launcher, server: server) { machine, history in
                let run = try await history.run(processes: 2)

                // Another daemon takes the run over: the same processes, the same fence.
                let daemon = try await machine.property("MainPID")
                #expect(try await machine.enter("kill", "-KILL", daemon).code == 0)
                try await eventually("the run is known again") {
                    let job = try? await machine.status()
                    return job?.run?.runID == run.id && job?.holder?.fence == run.fence
                }
                #expect(try await machine.property("MainPID") != daemon)
                #expect(try history.runs().last?.pids == run.pids)

                // Its keeper is killed while the daemon can do nothing. The guard sees to it; and with systemd, who has
                // neither, PID 1.
                let hung = try await machine.property("MainPID")
                #expect(try await machine.enter("kill", "-STOP", hung).code == 0)
                let (keeper, guardian) = try machine.keepers(of: run)
                kill(keeper, SIGKILL)
                if launcher == .systemd { kill(guardian, SIGKILL) }
                let killed = BootClock.now()
                try await eventually("the workload is gone") {
                    Processes.mentioning("/run/baton/runs/job/\(run.id)").isEmpty
                }
                #expect(BootClock.now() - killed < .seconds(2), "long before its lease ended")
                #expect(try await machine.enter("kill", "-CONT", hung).code == 0)
                var next = try await history.run(after: run)

                if launcher == .systemd {
                    // An operator's stop of the unit is a stop of the run.
                    #expect(
                        try await machine.enter("systemctl", "stop", UnitName.of(job: "job", runID: next.id)).code == 0)
                    #expect(try history.lines().contains { $0.run == next.id && $0.event == "term" })
                    try await eventually("it ended as stopped") {
                        try await machine.status()?.lastRun?.outcome == "stopped"
                    }
                    next = try await history.run(after: next)
                }

                // A daemon that starts runs in the other way takes over what this one started.
                let other = launcher == .direct ? LauncherKind.systemd : .direct
                _ = try await machine.enter(
                    "sed", "-i", "s/^launcher = .*/launcher = \"\(other.rawValue)\"/", "/etc/baton/batond.toml")
                #expect(
                    try await machine.enter("systemctl", "kill", "--kill-who=main", "-s", "KILL", "batond").code == 0)
                try await eventually("the run is known to the other daemon") {
                    let job = try? await machine.status()
                    return job?.run?.runID == next.id && job?.holder?.fence == next.fence
                }

                // The machine is switched off: properly stopped, and the lock released.
                _ = try await machine.enter("systemctl", "poweroff", "--no-block")
                try await eventually(within: .seconds(40), "it is down") { !machine.isUp }
                #expect(try history.lines().contains { $0.run == next.id && $0.event == "term" })
                #expect(try server.number("EXISTS", "{baton}:job:lock") == 0, "released while there was a daemon")
                #expect(try history.violations().isEmpty)
            }
        }
    }

    /// A machine that was suspended: the newcomer's fence is larger, and what wakes up is killed at once.
    @Test(arguments: LauncherKind.allCases) func aFrozenMachineWakesUpToKill(launcher: LauncherKind) async throws {
        try await withServer { server in
            try await withLauncherMachine(launcher, server: server, node: "a", period: 1) { first, history in
                let run = try await history.run(processes: 2)
                try await withLauncherMachine(launcher, server: server, node: "b", period: 1) { second, _ in
                    try first.freeze(true)
                    let frozen = BootClock.now()
                    let next = try await history.run(after: run, processes: 2)
                    #expect(next.node == "b" && next.fence > run.fence)
                    try await eventually("twice the TTL has passed") { BootClock.now() - frozen > launcherTTL * 2 }
                    let before = try history.lines().last { $0.run == run.id }
                    let woken = BootClock.now()
                    try first.freeze(false)
                    try await eventually("the old run is gone") {
                        Processes.mentioning("/run/baton/runs/job/\(run.id)").isEmpty
                    }
                    let last = try #require(try history.lines().last { $0.run == run.id }).at
                    let ran = last > woken ? last - woken : .zero
                    print("frozen machine, launcher \(launcher): user code ran for \(ran) after it woke")
                    #expect(ran < .milliseconds(250))
                    #expect(before.map { $0.at < woken } ?? false)
                    let now = try #require(try history.runs().last)
                    #expect(now.id == next.id && BootClock.now() - now.last < .seconds(1), "the newcomer runs on")
                    try await eventually("the old node stands by") { try await first.status()?.state == .standby }
                }
            }
        }
    }
}
