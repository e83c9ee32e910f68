// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization
import Testing

@testable import BatonTestSupport

/// Reads what the workloads write while they write it, and looks for processes that outlived their run.
final class OrphanWatch: Sendable {
    private let stage: Stage
    private let lines: Mutex<Chronicle>
    private let found = Mutex<[Int32: String]>([:])

    init(_ stage: Stage) {
        self.stage = stage
        lines = Mutex(Chronicle(path: stage.machines[0].history))
    }

    /// One for each process that outlived its run.
    var orphans: [String] { found.withLock { $0.values.sorted() } }

    func chronicle() throws -> Chronicle {
        try lines.withLock {
            try $0.update()
            return $0
        }
    }

    /// Watches as long as `body` runs.
    func during<Result: Sendable>(_ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
        try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try await self.look()
                    // It ends with `body`, and has nothing to tidy up.
                    try? await Task.sleep(for: .seconds(2))
                }
                return nil
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    /// A process of a run, although a later run of the job has said something before; and not one that is just dying.
    private func look() async throws {
        let suspects = try suspects()
        if suspects.isEmpty { return }
        try await Task.sleep(for: .milliseconds(500))
        let remaining = try self.suspects()
        found.withLock { found in
            for (pid, text) in suspects where remaining[pid] == text { found[pid] = text }
        }
        // There would be more and more of them, until this system could do nothing else.
        let orphans = orphans
        if orphans.count > 20 { throw TestFailure("orphans everywhere: \(orphans.prefix(20).joined(separator: "\n"))") }
    }

    private func suspects() throws -> [Int32: String] {
        let chronicle = try chronicle()
        var suspects: [Int32: String] = [:]
        for machine in stage.machines where machine.isUp {
            for pid in machine.processes(named: "test-workload") {
                guard let id = Processes.variable("BATON_RUN_ID", of: pid), let run = chronicle.runs[id],
                    let later = chronicle.runs(of: run.job).last, later.first > run.first, later.id != id,
                    Processes.isAlive(pid), !machine.isFrozen
                else { continue }
                suspects[pid] = "process \(pid) of run \(id) of \(run.job) on \(run.node), which is over"
            }
        }
        return suspects
    }

    /// Waits until every job has had a run.
    func waitForAll(within limit: Duration) async throws {
        try await eventually(within: limit, "every job has a run") {
            try await Task.sleep(for: .milliseconds(200))
            return try chronicle().byJob.count == JobMix.jobs.count
        }
    }

    /// The jobs that do not run exactly once each, even after so long.
    func missing(after limit: Duration) async throws -> [String] {
        let end = BootClock.now() + limit
        while true {
            let chronicle = try chronicle()
            let now = BootClock.now()
            let missing = JobMix.jobs.filter { job in
                let living = chronicle.living(job.name, within: .seconds(job.lasts ? 1 : 5), of: now)
                return job.lasts ? living.count != 1 : living.isEmpty
            }
            if missing.isEmpty || now > end { return missing.map(\.name) }
            try await Task.sleep(for: .milliseconds(300))
        }
    }
}
