// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

@testable import BatonTestSupport

/// Makes the faults of a plan happen, each at its time, and sets everything right at the end.
final class FaultDriver: Sendable {
    private let stage: Stage
    private let plan: FaultPlan
    private let log = Mutex<[Occurrence]>([])

    init(_ stage: Stage, _ plan: FaultPlan) {
        self.stage = stage
        self.plan = plan
    }

    /// What happened so far.
    var occurrences: [Occurrence] { log.withLock { $0 } }

    /// Returns when all faults are over and healed.
    func run() async throws {
        let begun = BootClock.now()
        let places = Dictionary(grouping: plan.faults, by: \.place)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for faults in places.values {
                group.addTask {
                    // Healing may take longer than planned: a machine has to boot.
                    for fault in faults { try await self.happen(fault, since: begun) }
                }
            }
            group.addTask { try await self.tellHowFar(since: begun) }
            try await group.waitForAll()
        }
    }

    /// Once a minute, for who waits for an hour.
    private func tellHowFar(since begun: Instant) async throws {
        let end = begun + (plan.faults.last?.start ?? .zero) - .seconds(60)
        while BootClock.now() < end {
            try await Task.sleep(for: .seconds(60))
            let happened = occurrences.count { $0.injected != nil }
            print("faults: \(happened) in \((BootClock.now() - begun).milliseconds / 1000) s")
        }
    }

    private func happen(_ fault: FaultPlan.Fault, since begun: Instant) async throws {
        let node = fault.machine.map { stage.names[$0] }
        try await Task.sleep(for: max(.zero, begun + fault.start - BootClock.now()))
        let before = BootClock.now()
        let injury: Stage.Injury
        do {
            injury = try await stage.inject(fault)
        } catch {
            return add(Occurrence(fault: fault, node: node, note: "not injected: \(error)"))
        }
        var occurrence = Occurrence(fault: fault, node: node, injected: before, job: injury.job)
        let index = log.withLock { log in
            log.append(occurrence)
            return log.count - 1
        }
        try await Task.sleep(for: fault.length)
        // What a thaw lets happen comes after it was asked for.
        occurrence.healed = fault.kind == .machineFrozen ? BootClock.now() : nil
        do {
            try await stage.heal(fault, injury)
        } catch {
            occurrence.note = "not healed: \(error)"
        }
        occurrence.healed = occurrence.healed ?? BootClock.now()
        log.withLock { $0[index] = occurrence }
        try await Task.sleep(for: .milliseconds(fault.kind.rest))
    }

    private func add(_ occurrence: Occurrence) { log.withLock { $0.append(occurrence) } }
}
