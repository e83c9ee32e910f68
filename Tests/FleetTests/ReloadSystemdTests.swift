// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Reloads as a real systemd sees them, with the unit as it ships.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct ReloadSystemdTests {
    private let nodeFile = "[store]\nmax_lock_timeout = \"15s\"\n[defaults.lock]\ntimeout = \"15s\"\n"

    @Test func systemctlReloadWaitsAndFailsWithABadFile() async throws {
        try #require(geteuid() == 0, "only root can boot a machine")
        let job = { (machine: Machine) in
            ["job": "command = [\"/usr/bin/test-workload\", \"\(machine.historyInside)\"]\n"]
        }
        try await withMachine(nodeFile: nodeFile, jobs: job) { machine in
            #expect(try await machine.enter("systemctl", "start", "batond").code == 0)
            let run = try await waitForRun(machine)
            let pid = try await machine.property("MainPID")

            // A quiet change, and a new job.
            let jobs = "/etc/baton/jobs.d"
            try await machine.sh("echo 'description = \"x\"' >>\(jobs)/job.toml")
            try await machine.sh("echo 'shell = \"exec sleep 1000\"' >\(jobs)/new.toml")
            let reloaded = try await machine.enter("systemctl", "reload", "batond")
            #expect(reloaded.code == 0, "\(reloaded.errors)")
            #expect(try await machine.enter("batonctl", "status", "new").code == 0, "it waits until the files count")
            try await eventually("it is as active as before") {
                try await machine.property("ActiveState") == "active"
            }

            // A bad file: the operator is told, nothing else happens.
            try await machine.sh("echo 'comand = 1' >\(jobs)/bad.toml")
            #expect(try await machine.enter("systemctl", "reload", "batond").code != 0)
            #expect(try await machine.property("ActiveState") == "active")
            #expect(try await machine.journal().contains("error: \(jobs)/bad.toml:1"), "batonctl's words")
            #expect(try await machine.enter("batonctl", "status", "bad").code == 1)

            // The signal.
            try await machine.sh("rm \(jobs)/bad.toml \(jobs)/new.toml")
            #expect(
                try await machine.enter("systemctl", "kill", "--kill-whom=main", "--signal=HUP", "batond").code == 0)
            try await eventually("the files count, and systemd knows") {
                guard try await machine.enter("batonctl", "status", "new").code == 1 else { return false }
                return try await machine.property("ActiveState") == "active"
            }
            #expect(try await machine.property("MainPID") == pid)
            #expect(try await machine.property("NRestarts") == "0")
            let now = try #require(try history(machine).runs().last)
            #expect(now.id == run.id && now.pids == run.pids)
            #expect(try await machine.enter("systemctl", "stop", "batond").code == 0)
            #expect(try await machine.property("Result") == "success")
        }
    }

    private func history(_ machine: Machine) throws -> History {
        var history = History(path: machine.history)
        try history.update()
        return history
    }

    private func waitForRun(_ machine: Machine) async throws -> History.Run {
        var found: History.Run?
        try await eventually(within: .seconds(40), "a run") {
            found = try history(machine).runs().last
            return found != nil
        }
        return try #require(found)
    }
}

extension Machine {
    /// A line for the shell inside.
    fileprivate func sh(_ line: String) async throws {
        let (code, _, errors) = try await enter("/bin/sh", "-c", line)
        if code != 0 { throw TestFailure("\(line): \(errors)") }
    }
}
