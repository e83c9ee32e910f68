// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Runs `body` with a fleet that runs its jobs, and of which nothing is left when this returns, whatever happens.
func withStage(machines count: Int, programs: String, _ body: (Stage) async throws -> Void) async throws {
    let names = (1...count).map { "web-\($0)" }
    let evidence = try Machine.Evidence()
    Janitor.shared.sweepIfKilled(folder: evidence.folder)
    defer { try? FileManager.default.removeItem(atPath: evidence.folder) }
    try await WrongClock.buildShim(in: evidence.folder)
    let clocks = try (names + ["server"]).map { try WrongClock(name: $0, folder: evidence.folder) }
    try await withInstallation(of: programs) { installation in
        try await withNetwork(names) { network in
            let equipment = names.map {
                Machine.Equipment(
                    hostname: $0, hasBaton: false, network: network.namespace($0), evidence: evidence,
                    layers: [installation],
                    volumes: ["/run/baton": "mode=755,size=8m", "/var/lib/baton": "mode=700,size=8m"])
            }
            try await withFailoverServer(network, clock: clocks[count]) { server in
                try await withMachines(equipment) { machines in
                    let stage = Stage(
                        names: names, machines: machines, clocks: clocks, network: network, server: server,
                        serverClock: clocks[count], evidence: evidence)
                    try await stage.begin()
                    try await body(stage)
                }
            }
        }
    }
}

extension Stage {
    /// As the message of "make install" says, on every machine.
    fileprivate func begin() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, machine) in machines.enumerated() {
                group.addTask { try await begin(machine, index) }
            }
            try await group.waitForAll()
        }
    }

    private func begin(_ machine: Machine, _ index: Int) async throws {
        // Runs of one machine in three are units of their own.
        let settings = JobMix.settings(
            url: server.url, launcher: index % 3 == 1 ? "systemd" : "direct", seat: index % 3)
        try machine.write(settings, to: "/etc/baton/batond.toml")
        for job in JobMix.jobs {
            try machine.write(
                JobMix.file(job, history: machine.historyInside), to: "/etc/baton/jobs.d/\(job.name).toml")
        }
        let variables = clocks[index].environment(in: "/var/lib/" + evidence.name)
        let lines = variables.sorted { $0.key < $1.key }.map { "Environment=\($0.key)=\($0.value)" }
        try machine.write(
            (["[Service]"] + lines).joined(separator: "\n") + "\n",
            to: "/etc/systemd/system/batond.service.d/clock.conf")
        for command in [
            "systemd-sysusers", "systemctl daemon-reload", "systemctl add-wants baton-test.target batond.service",
            "systemctl enable --now batond",
        ] {
            let (code, text) = await attempt(machine, within: 60, "sh", "-c", command)
            if code != 0 { throw TestFailure("\(command): \(text)") }
        }
    }

    /// As if nothing had happened: everything on, whole and connected.
    func restoreEverything() async throws {
        for machine in machines {
            try? machine.freeze(false)
            if !machine.isUp { try await machine.powerOn() }
            for name in ["batond", "baton-keeper", "test-workload", "systemd-journal"] {
                for pid in machine.processes(named: name) { kill(pid, SIGCONT) }
            }
            if await attempt(machine, "systemctl", "is-active", "batond").code != 0 {
                _ = await attempt(machine, within: 40, "systemctl", "start", "batond")
            }
        }
    }

    /// Stops every daemon, and says what is left of the runs.
    func end() async throws -> [String] {
        for machine in machines {
            let (code, text) = await attempt(machine, within: 60, "systemctl", "stop", "batond")
            if code != 0 { return ["batond of \(machine.folder) does not stop: \(text)"] }
        }
        return Processes.mentioning(evidence.name).filter {
            Processes.isAlive($0) && Processes.name(of: $0) == "test-workload"
        }.map { "process \($0) of run \(Processes.variable("BATON_RUN_ID", of: $0) ?? "?") when all had stopped" }
    }
}
