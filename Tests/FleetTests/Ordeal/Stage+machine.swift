// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What happens to processes of a machine, and to all of it.
extension Stage {
    /// Kills or stops some, as soon as there are such; nil: this fault is none of that kind.
    func hurtProcess(_ machine: Machine, _ fault: FaultPlan.Fault) async throws -> Injury? {
        guard let (roles, signal) = fault.kind.blow else { return nil }
        let limit = BootClock.now() + .seconds(6)
        while BootClock.now() < limit {
            let victims = roles.compactMap { process($0, of: machine, fault.choice) }
            if victims.count == roles.count {
                for pid in victims { kill(pid, signal) }
                return Injury(processes: signal == SIGSTOP ? victims : [])
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw NothingThere(description: "there was no such process")
    }

    private func process(_ role: FaultKind.Role, of machine: Machine, _ choice: Int) -> Int32? {
        switch role {
        case .daemon: return machine.processes(named: "batond").first
        case .journal: return machine.processes(named: "systemd-journal").first
        case .workload:
            let all = machine.processes(named: "test-workload")
            return all.isEmpty ? nil : all[choice % all.count]
        case .keeper, .guardian:
            let all = machine.processes(named: "baton-keeper")
            // The guard is the parent of its keeper.
            let keepers = all.filter { Processes.parent(of: $0).map(all.contains) ?? false }
            if keepers.isEmpty { return nil }
            let keeper = keepers[choice % keepers.count]
            return role == .keeper ? keeper : Processes.parent(of: keeper)
        }
    }

    func operate(_ machine: Machine, _ fault: FaultPlan.Fault) async throws {
        switch fault.kind {
        case .machineFrozen: try machine.freeze(true)
        case .powerLost: try await machine.losePower()
        case .rebooted:
            _ = await attempt(machine, "systemctl", "poweroff")
            try await machine.waitUntilOff()
        case .forkFails: try limitProcesses(of: machine, isFull: true)
        case .reloaded:
            let job = JobMix.jobs[fault.choice % JobMix.jobs.count]
            let text = JobMix.file(job, history: machine.historyInside, note: fault.choice)
            try machine.write(text, to: "/etc/baton/jobs.d/\(job.name).toml")
            _ = await attempt(machine, "systemctl", "reload", "batond")
        case .reloadedBadly:
            try machine.write("comand = 1\n", to: "/etc/baton/jobs.d/bad.toml")
            let (code, text) = await attempt(machine, "systemctl", "reload", "batond")
            #expect(code != 0, "a bad file was taken: \(text)")
        case .unitRestarted: _ = await attempt(machine, within: 40, "systemctl", "restart", "batond")
        case .unitStopped: _ = await attempt(machine, within: 40, "systemctl", "stop", "batond")
        case .reexecuted: _ = await attempt(machine, "batonctl", "reexec")
        default: preconditionFailure("\(fault.kind) does not happen to a machine")
        }
    }

    /// As it was before.
    func restore(_ machine: Machine, _ fault: FaultPlan.Fault) async throws {
        switch fault.kind {
        case .machineFrozen: try machine.freeze(false)
        case .powerLost, .rebooted: try await machine.powerOn()
        case .forkFails: try limitProcesses(of: machine, isFull: false)
        case .reloadedBadly:
            try machine.remove("/etc/baton/jobs.d/bad.toml")
            _ = await attempt(machine, "systemctl", "reload", "batond")
        case .unitStopped, .unitRestarted: _ = await attempt(machine, within: 40, "systemctl", "start", "batond")
        default: break
        }
    }

    /// No process, and no thread, more than there are.
    private func limitProcesses(of machine: Machine, isFull: Bool) throws {
        let group = machine.pidsGroup
        var limit = "max"
        if isFull {
            guard let now = try Files.read(group + "/pids.current", limit: 100) else {
                throw NothingThere(description: "this system has no pids controller for machines")
            }
            limit = String(decoding: now, as: UTF8.self)
        }
        try limit.write(toFile: group + "/pids.max", atomically: false, encoding: .utf8)
    }

    /// What a daemon has to live with.
    func burden(_ index: Int, _ fault: FaultPlan.Fault) throws {
        switch fault.kind {
        case .runtimeFull: try fill("/run/baton", of: machines[index])
        case .stateFull: try fill("/var/lib/baton", of: machines[index])
        case .clockStepped: try clocks[index].step(choice: fault.choice)
        default: preconditionFailure("\(fault.kind) is no burden")
        }
    }

    func relieve(_ index: Int, _ fault: FaultPlan.Fault) {
        for folder in ["/run/baton", "/var/lib/baton"] { unlink(machines[index].hostPath(folder) + "/.ballast") }
    }

    /// Writes until there is no room any more.
    private func fill(_ folder: String, of machine: Machine) throws {
        let path = machine.hostPath(folder) + "/.ballast"
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw NothingThere(description: "\(folder): errno \(errno)") }
        defer { close(file) }
        for size in [1 << 20, 1 << 12, 1] {
            let zeros = [UInt8](repeating: 0, count: size)
            while write(file, zeros, size) == size {}
        }
    }
}

extension FaultKind {
    fileprivate enum Role { case daemon, keeper, guardian, workload, journal }

    /// Whose processes get which signal, if it is that.
    fileprivate var blow: (roles: [Role], signal: Int32)? {
        switch self {
        case .daemonKilled: ([.daemon], SIGKILL)
        case .daemonAborted: ([.daemon], SIGABRT)
        case .daemonStopped, .daemonHung: ([.daemon], SIGSTOP)
        case .keeperKilled: ([.keeper], SIGKILL)
        case .keeperStopped: ([.keeper], SIGSTOP)
        case .guardKilled: ([.guardian], SIGKILL)
        case .guardStopped: ([.guardian], SIGSTOP)
        case .workloadKilled: ([.workload], SIGKILL)
        case .workloadStopped: ([.workload], SIGSTOP)
        case .workloadAborted: ([.workload], SIGABRT)
        case .keeperAndDaemonKilled: ([.keeper, .daemon], SIGKILL)
        case .guardAndDaemonKilled: ([.guardian, .daemon], SIGKILL)
        case .keeperAndGuardKilled: ([.keeper, .guardian], SIGKILL)
        case .journalStopped: ([.journal], SIGSTOP)
        default: nil
        }
    }
}
