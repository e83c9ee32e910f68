// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

/// A systemd that refuses to start a run's unit, or is slow about it, lets nothing run that has not the lock.
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(5))) struct SlowSystemdTests {
    @Test func aRefusedStartIsAReasonAndNoRun() async throws {
        let rest = "restart.max_delay = \"1s\"\n"
        try await withLauncherMachine(
            .systemd, rest: rest,
            boot: { machine in
                _ = try await machine.enter("systemctl", "mask", "--runtime", "baton.slice")
            }
        ) { machine, history in
            try await eventually("it is told why") {
                try await machine.status()?.lastRun?.reason?.contains("could not be started: systemd refused: ") == true
            }
            #expect(try history.lines().isEmpty)
            #expect(try await machine.enter("systemctl", "unmask", "--runtime", "baton.slice").code == 0)
            _ = try await history.run()
        }
    }

    @Test func aStartThatComesTooLateStartsNothing() async throws {
        try await withLauncherMachine(.systemd, rest: "") { machine, history in
            let run = try await history.run()
            #expect(try await machine.enter("batonctl", "stop", "job").code == 0)
            try await eventually("it is held down") { try await machine.status()?.state == .heldDown }

            // PID 1 does nothing, and the daemon's request waits with it.
            kill(machine.systemd, SIGSTOP)
            defer { kill(machine.systemd, SIGCONT) }
            let asked = BootClock.now()
            #expect(try await machine.enter("batonctl", "run", "job").code == 0)
            try await eventually("the start was given up") {
                try await machine.status()?.lastRun?.reason?.contains("could not be started: ") == true
            }
            #expect(BootClock.now() - asked > .seconds(4))
            let tried = try await machine.startedRuns()
            kill(machine.systemd, SIGCONT)

            let next = try await history.run(after: run)
            #expect(tried.count >= 2 && !tried.contains(next.id))
            for late in tried where late != run.id {
                #expect(try !history.lines().contains { $0.run == late }, "it ran without the lock")
            }
            try await eventually("no unit is left but the run's") {
                let units = try await machine.enter(
                    "systemctl", "list-units", "--all", "--plain", "--no-legend", "baton-job-*"
                ).output
                return units.split(separator: "\n").map { $0.split(separator: " ").first.map(String.init) } == [
                    UnitName.of(job: "job", runID: next.id)
                ]
            }
            #expect(try history.violations().isEmpty)
        }
    }
}
