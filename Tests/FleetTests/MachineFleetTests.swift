// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// Three machines of a fleet, from their package on: what an operator does to them, and what befalls them.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct MachineFleetTests {
    private static func settings(_ url: String) -> String {
        """
        [store]
        url = "\(url)"
        max_lock_timeout = "8s"
        connect_timeout = "1s"
        [defaults.lock]
        timeout = "8s"
        """
    }

    private static func writeJobs(_ machine: Machine, enabled isEnabled: (Int) -> Bool) throws {
        for number in 1...50 {
            let text = """
                command = ["/usr/bin/test-workload", "\(machine.historyInside)", "--period", "200"]
                output.to = "none"
                enabled = \(isEnabled(number))
                """
            try machine.write(text, to: "/etc/baton/jobs.d/job-\(number).toml")
        }
    }

    @Test func aFleetIsUpgradedMachineByMachineAndLosesSome() async throws {
        try #require(geteuid() == 0, "only root can boot a machine")
        let package = try await DebianPackage.make()
        let names = ["web-1", "web-2", "web-3"]
        let evidence = try Machine.Evidence()
        defer { try? FileManager.default.removeItem(atPath: evidence.folder) }
        try await withNetwork(names) { network in
            let equipment = names.map {
                Machine.Equipment(
                    hostname: $0, hasBaton: false, network: network.namespace($0),
                    folders: [DebianPackage.folderInside: package.folder], evidence: evidence)
            }
            try await withServer(.init(address: Network.serverAddress, network: network.hub)) { server in
                try await withMachines(equipment) { machines in
                    try await each(machines) { machine in
                        try await machine.install(DebianPackage.versions[0])
                        try machine.write(Self.settings(server.url), to: "/etc/baton/batond.toml")
                    }
                    // Each has its share, for a start; who is first would have them all.
                    for (index, machine) in machines.enumerated() {
                        try Self.writeJobs(machine) { $0 % machines.count == index }
                    }
                    try await startsWithoutItsServer(machines[0], network, names[0])
                    try await each(machines) { machine in
                        let started = try await machine.enter("systemctl", "restart", "batond")
                        #expect(started.code == 0, "\(started)")
                        _ = try await machine.enter("systemctl", "add-wants", "baton-test.target", "batond.service")
                    }
                    let runs = try await allRunning(machines[0], since: Instant(nanoseconds: 0))
                    for machine in machines { try Self.writeJobs(machine) { _ in true } }
                    try await isUpgradedInTurn(machines, runs)
                    try await rebootsInOrder(machines, names)
                    try await losesPower(machines, names, server)
                    #expect(try machines[0].evidence().violations().isEmpty)
                }
            }
        }
    }

    private func startsWithoutItsServer(_ machine: Machine, _ network: Network, _ name: String) async throws {
        try await network.cut(name, .cable)
        let asked = BootClock.now()
        #expect(try await machine.enter("systemctl", "restart", "batond").code == 0)
        #expect(BootClock.now() - asked < .seconds(10))
        try await eventually("it says that the server can't be reached") {
            try await machine.enter("batonctl", "status").output.contains("unreachable")
        }
        try await network.mend(name, .cable)
    }

    /// The same processes with the same fences, before and after, and no moment without them.
    private func isUpgradedInTurn(_ machines: [Machine], _ before: [History.Run]) async throws {
        for machine in machines {
            let (daemon, process) = (try await machine.instance(), try await machine.property("MainPID"))
            let said = try await machine.install(DebianPackage.versions[1])
            #expect(try await machine.instance() != daemon, "\(said)")
            let isSame = try await machine.property("MainPID") == process
            #expect(isSame, "it ended instead of replacing itself: \(said)")
            if !isSame { print(try await machine.journal()) }
        }
        // Longer than any lease that was not renewed since.
        try await Task.sleep(for: .seconds(8))
        let history = try machines[0].evidence()
        let after = history.runs()
        #expect(after.map(\.id) == before.map(\.id))
        #expect(after.map(\.pids) == before.map(\.pids))
        #expect(after.map(\.fence) == before.map(\.fence))
        for run in after {
            #expect(BootClock.now() - run.last < .seconds(1), "\(run)")
            #expect(history.longestGap(in: run) < .seconds(2), "\(run)")
        }
    }

    /// Locks are released on the way down: others start at once, and nothing comes back before it may.
    private func rebootsInOrder(_ machines: [Machine], _ names: [String]) async throws {
        let before = try machines[0].evidence().runs()
        let (index, affected) = try busiest(before, names)
        let asked = BootClock.now()
        try await machines[index].reboot()
        let runs = try await allRunning(machines[0], since: asked, affected.map(\.job))
        for run in affected {
            let last = try #require(try machines[0].evidence().runs().first { $0.id == run.id }).last
            let next = try #require(runs.first { $0.job == run.job })
            #expect(next.node != run.node)
            #expect(next.first - last < .seconds(4), "an orderly end waits for no lease: \(run) / \(next)")
        }
        try await eventually(within: .seconds(20), "the machine is back") {
            try await machines[index].enter("batonctl", "status").output.contains("connected")
        }
    }

    /// Leases have to run out.
    private func losesPower(_ machines: [Machine], _ names: [String], _ server: TestServer) async throws {
        let before = try machines[0].evidence().runs().filter { BootClock.now() - $0.last < .seconds(1) }
        let (index, affected) = try busiest(before, names)
        try await machines[index].losePower()
        let instant = BootClock.now()
        var expiry: [String: Instant] = [:]
        for run in affected { expiry[run.job] = try server.expiry(ofLockOf: run.job) }
        let (runs, late) = try await measuringLateness { worst in
            (try await allRunning(machines[0], since: instant, affected.map(\.job)), worst())
        }
        var delays: [Duration] = []
        for run in affected {
            let next = try #require(runs.first { $0.job == run.job })
            #expect(next.node != run.node && next.fence > run.fence)
            delays.append(next.first - (try #require(expiry[run.job])))
        }
        // What is promised of one; the others start at the same moment, and wait for a processor.
        let delay = (first: try #require(delays.min()), last: try #require(delays.max()))
        print("power lost: \(delays.count) jobs started \(delay.first) to \(delay.last) after their leases")
        #expect(delay.first > .zero && delay.first < .milliseconds(100) + late * 3)
        #expect(delay.last < .milliseconds(100) + late * 3 + .milliseconds(20) * delays.count)
    }

    private func busiest(_ runs: [History.Run], _ names: [String]) throws -> (Int, [History.Run]) {
        let byNode = Dictionary(grouping: runs, by: \.node)
        let most = try #require(byNode.max { $0.value.count < $1.value.count })
        return (try #require(names.firstIndex(of: most.key)), most.value)
    }

    /// A run of each job that goes on and began after `instant`.
    private func allRunning(
        _ machine: Machine, since instant: Instant, _ jobs: [String] = (1...50).map { "job-\($0)" }
    ) async throws -> [History.Run] {
        var found: [History.Run] = []
        try await eventually(within: .seconds(40), "all jobs run") {
            try await Task.sleep(for: .milliseconds(50))  // Not to be in the way.
            let now = BootClock.now()
            found = try machine.evidence().runs().filter { $0.first > instant && now - $0.last < .seconds(1) }
            return Set(jobs).isSubset(of: found.map(\.job))
        }
        return found
    }

    private func each(_ machines: [Machine], _ body: @escaping @Sendable (Machine) async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for machine in machines { group.addTask { try await body(machine) } }
            try await group.waitForAll()
        }
    }
}
