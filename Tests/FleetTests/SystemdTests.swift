// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// The unit as it ships, under a real systemd.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct SystemdTests {
    /// The ordinary T: a daemon that the watchdog ends has time to come back before the lease ends.
    private let nodeFile = "[store]\nmax_lock_timeout = \"15s\"\n[defaults.lock]\ntimeout = \"15s\"\n"

    @Test func systemdStartsWatchesRestartsAndStopsIt() async throws {
        try #require(geteuid() == 0, "only root can boot a machine")
        let command = { (machine: Machine) in
            ["job": "command = [\"/usr/bin/test-workload\", \"\(machine.historyInside)\", \"--daemonise\"]\n"]
        }
        try await withMachine(nodeFile: nodeFile, jobs: command) { machine in
            try machine.write(
                "[Service]\nEnvironment=BATON_TEST_WEDGE=/run/baton/wedge\n",
                to: "/etc/systemd/system/batond.service.d/wedge.conf")
            #expect(try await machine.enter("systemctl", "daemon-reload").code == 0)
            // "start" returns when it is ready: its control socket answers.
            let started = try await machine.enter("systemctl", "start", "batond")
            #expect(started.code == 0, "\(started.errors)")
            #expect(try await machine.enter("batonctl", "status").code == 0)
            let run = try await waitForRun(machine)
            #expect(try await machine.journal().contains("a hung daemon costs") == false, "T fits WatchdogSec")
            try await eventually("systemd shows the status line") {
                try await machine.enter("systemctl", "status", "batond").output
                    .contains("Status: \"1 job: 1 running here\"")
            }

            // A crash.
            try await end(machine, by: "kill -s KILL $MAINPID", restarts: 1, because: "signal")
            try await expectGoesOn(machine, run)

            // A hang.
            try await end(machine, by: "kill -s STOP $MAINPID", restarts: 2, because: "watchdog")
            try await expectGoesOn(machine, run)

            // Only the loop that renews the lease hangs; all else, and the control socket, goes on.
            try await end(machine, by: "printf job >/run/baton/wedge", restarts: 3, because: "watchdog")
            #expect(try await machine.journal().contains("loop makes no progress"))
            try await expectGoesOn(machine, run)

            // An ordinary stop.
            let stopped = try await machine.enter("systemctl", "stop", "batond")
            #expect(stopped.code == 0, "\(stopped.errors)")
            #expect(try await machine.property("ActiveState") == "inactive")
            #expect(try await machine.property("Result") == "success")
            #expect(try machine.evidence().lines.contains { $0.run == run.id && $0.event == "term" })
            #expect(Processes.mentioning(machine.historyInside).isEmpty)
            #expect(Processes.mentioning("/run/baton/runs/job/\(run.id)").isEmpty)
            let runs = try await machine.enter("ls", "/run/baton/runs/job")
            #expect(runs.output == "last-output\nlock\n", "the folder of the run is gone; its tail stays for logs")

            // The lock was released: the next run does not wait for a lease to end.
            let again = BootClock.now()
            #expect(try await machine.enter("systemctl", "start", "batond").code == 0)
            let next = try await waitForRun(machine, after: again)
            #expect(next.first - again < .seconds(5))
            #expect(next.fence > run.fence)
            #expect(try await machine.enter("systemctl", "stop", "batond").code == 0)
            #expect(try machine.evidence().violations().isEmpty)
            #expect(try machine.evidence().runs().count == 2)
        }
    }

    private func waitForRun(_ machine: Machine, after: Instant = Instant(nanoseconds: 0)) async throws -> History.Run {
        var found: History.Run?
        try await eventually(within: .seconds(40), "a run") {
            found = try machine.evidence().runs().last { $0.first > after && $0.pids.count == 2 }
            return found != nil
        }
        return try #require(found)
    }

    /// Does something to the daemon, and waits until systemd has started another.
    private func end(_ machine: Machine, by command: String, restarts: Int, because result: String) async throws {
        let pid = try await machine.property("MainPID")
        #expect(try await machine.enter("env", "MAINPID=\(pid)", "sh", "-c", command).code == 0)
        try await eventually(within: .seconds(20), "systemd restarts it") {
            guard try await machine.property("NRestarts") == "\(restarts)" else { return false }
            return try await machine.property("ActiveState") == "active"
        }
        #expect(try await machine.property("MainPID") != pid)
        #expect(try await machine.journal().contains("Failed with result '\(result)'"))
    }

    /// The same processes, the same fence, and the new daemon knows it.
    private func expectGoesOn(_ machine: Machine, _ run: History.Run) async throws {
        try await eventually("the run is known again") {
            let (code, output, _) = try await machine.enter("batonctl", "status", "--json")
            guard code == 0 else { return false }
            let job = try JSONDecoder().decode(StatusReport.self, from: Data(output.utf8)).jobs.first
            return job?.run?.runID == run.id && job?.holder?.fence == run.fence
        }
        let now = try #require(try machine.evidence().runs().last)
        #expect(now.id == run.id)
        #expect(now.pids == run.pids)
        #expect(now.fence == run.fence)
        #expect(BootClock.now() - now.last < .milliseconds(500))
    }
}
