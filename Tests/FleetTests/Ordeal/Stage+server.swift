// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// What happens to the server, and what an operator asks of the fleet.
extension Stage {
    func injectElsewhere(_ fault: FaultPlan.Fault) async throws -> Injury {
        let primary = try server.primary
        var injury = Injury()
        switch fault.kind {
        case .switchDown: try await network.setSwitch(isUp: false)
        case .serverKilled, .serverForgot: primary.end()
        case .serverStopped: primary.signal(SIGSTOP)
        case .serverFlushed: try primary.ask("FLUSHALL")
        case .clientsKilled: try primary.ask("CLIENT", "KILL", "TYPE", "normal")
        case .clientsPaused:
            let what = fault.choice % 2 == 0 ? "ALL" : "WRITE"
            injury.connection = try primary.send("CLIENT", "PAUSE", "\(fault.length.milliseconds)", what)
        case .serverSlept:
            injury.connection = try primary.send("DEBUG", "SLEEP", "\(Double(fault.length.milliseconds) / 1000)")
        case .serverFull: try primary.ask("CONFIG", "SET", "maxmemory", "1")
        case .serverReadOnly: try primary.ask("REPLICAOF", Network.serverAddress, "1")
        case .failover: try server.detachReplica()
        case .serverClockStepped: try serverClock.step(choice: fault.choice)
        case .jobStopped: injury.job = try await stopJob(fault)
        default: preconditionFailure("\(fault.kind) does not happen to the server")
        }
        return injury
    }

    func healElsewhere(_ fault: FaultPlan.Fault, _ injury: Injury) async throws {
        let primary = try server.primary
        switch fault.kind {
        case .switchDown: try await network.setSwitch(isUp: true)
        case .serverKilled: try await primary.start()
        case .serverForgot:
            primary.forgetData()
            try await primary.start()
        case .serverStopped: primary.signal(SIGCONT)
        case .serverFull: try primary.ask("CONFIG", "SET", "maxmemory", "0")
        case .serverReadOnly: try primary.ask("REPLICAOF", "NO", "ONE")
        case .failover:
            // So far behind is the replica that is the server from now on.
            try server.failOver()
            try await server.addReplica()
        case .jobStopped: if let job = injury.job { try await runJob(job) }
        default: break
        }
    }

    /// Holds a job down, by whichever machine answers.
    private func stopJob(_ fault: FaultPlan.Fault) async throws -> String {
        let job = JobMix.jobs[fault.choice % JobMix.jobs.count].name
        for offset in 0..<machines.count {
            let machine = machines[(fault.choice + offset) % machines.count]
            if machine.isUp, await attempt(machine, within: 8, "batonctl", "stop", job).code == 0 { return job }
        }
        // It may have been heard all the same.
        try await runJob(job)
        throw NothingThere(description: "no machine could stop \(job)")
    }

    private func runJob(_ job: String) async throws {
        let limit = BootClock.now() + .seconds(60)
        var said = ""
        while BootClock.now() < limit {
            for machine in machines where machine.isUp {
                let (code, text) = await attempt(machine, within: 8, "batonctl", "run", job)
                if code == 0 { return }
                said = text
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        throw TestFailure("no machine would run \(job) again: \(said)")
    }
}
