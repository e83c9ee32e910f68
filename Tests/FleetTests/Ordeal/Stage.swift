// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// The fleet that faults happen to: machines, their network, their server.
struct Stage: Sendable {
    var names: [String]
    var machines: [Machine]
    var clocks: [WrongClock]
    var network: Network
    var server: FailoverServer
    var serverClock: WrongClock
    var evidence: Machine.Evidence

    /// What an injection has left behind that its healing needs.
    struct Injury {
        var processes: [Int32] = []
        var job: String?
        var connection: RawConnection?
    }

    /// Why a fault could not be injected: there was nothing that it could happen to just then.
    struct NothingThere: Error, CustomStringConvertible {
        let description: String
    }

    /// Makes it happen, and returns when it has.
    func inject(_ fault: FaultPlan.Fault) async throws -> Injury {
        guard let index = fault.machine else { return try await injectElsewhere(fault) }
        let machine = machines[index]
        guard fault.kind.place == .line || machine.isUp else { throw NothingThere(description: "the machine is off") }
        switch fault.kind.place {
        case .line: try await spoil(index, fault)
        case .daemon: try burden(index, fault)
        default:
            if let injury = try await hurtProcess(machine, fault) { return injury }
            try await operate(machine, fault)
        }
        return Injury()
    }

    /// Sets right what is not over by itself.
    func heal(_ fault: FaultPlan.Fault, _ injury: Injury) async throws {
        guard let index = fault.machine else { return try await healElsewhere(fault, injury) }
        switch fault.kind.place {
        case .line: try await mend(index, fault)
        case .daemon: relieve(index, fault)
        default:
            for pid in injury.processes { kill(pid, SIGCONT) }
            try await restore(machines[index], fault)
        }
    }

    /// Runs a command in a machine that may be in any state; -1: it took too long.
    func attempt(_ machine: Machine, within seconds: Int = 20, _ command: String...) async -> (
        code: Int32, text: String
    ) {
        let arguments =
            ["--kill-after=2", "\(seconds)", "/usr/bin/nsenter", "-t", "\(machine.systemd)", "-a"] + command
        guard let (code, output, errors) = try? await run("/usr/bin/timeout", arguments) else { return (-1, "") }
        return (code == 124 || code == 137 ? -1 : code, output + errors)
    }
}

extension Machine {
    /// Its processes of this name, as the host knows them.
    func processes(named name: String) -> [Int32] {
        groups(below: cgroup).flatMap { group in
            let text = ((try? Files.read(group + "/cgroup.procs", limit: 1 << 20)) ?? nil) ?? []
            return text.split(separator: 10).compactMap { Int32(String(decoding: $0, as: UTF8.self)) }
        }.filter { Processes.name(of: $0) == name }.sorted()
    }

    private func groups(below group: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: group)) ?? []
        let folders = names.filter { !$0.hasPrefix("cgroup.") && !$0.contains(".pressure") }.map { "\(group)/\($0)" }
        return [group] + folders.filter(Self.isFolder).flatMap(groups)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }
}
