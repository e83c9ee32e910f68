// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Testing

@testable import BatonTestSupport

private let fleetMinutes = ProcessInfo.processInfo.environment["BATON_FLEET_MINUTES"].flatMap(Double.init)

/// A fleet of machines under every fault, several at once: at no time do two runs of a job live.
///
/// `make fleet` makes it long. `BATON_FLEET_MINUTES`, `BATON_SEED`, `BATON_FLEET_MACHINES`, `BATON_FLEET_FAULTS` (names,
/// with commas), `BATON_FLEET_PROGRAMS` (the folder they were built in), `BATON_FLEET_REPORT` (a folder).
@Suite(.serialized, .needsRoot, .timeLimit(.minutes(Int(fleetMinutes ?? 0) + 10))) struct FaultTests {
    private static let environment = ProcessInfo.processInfo.environment
    private let machines = Self.environment["BATON_FLEET_MACHINES"].flatMap(Int.init) ?? 3
    private let seed = Self.environment["BATON_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0...999_999_999)
    private let programs = Self.environment["BATON_FLEET_PROGRAMS"] ?? Binary.folder
    private let folder = Self.environment["BATON_FLEET_REPORT"] ?? Binary.folder + "/fleet"

    private var plan: FaultPlan {
        let names = Self.environment["BATON_FLEET_FAULTS"].map { $0.split(separator: ",") }
        let kinds = FaultKind.allCases.filter { kind in names?.contains { $0 == kind.rawValue } ?? true }
        if let minutes = fleetMinutes {
            return FaultPlan(
                seed: seed, length: .milliseconds(Int(minutes * 60_000)), pace: .seconds(5), atLeast: 1,
                machines: machines, kinds: kinds)
        }
        return FaultPlan(
            seed: seed, length: .seconds(45), pace: .milliseconds(1600), atLeast: 28, machines: machines, kinds: kinds)
    }

    @Test func noFaultMakesTwoRunsOfOneJob() async throws {
        try #require(geteuid() == 0, "only root can boot a machine")
        let plan = self.plan
        print("faults: BATON_SEED=\(seed), \(plan.faults.count) of them, the report will be in \(folder)")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await withStage(machines: machines, programs: programs) { stage in
            let watch = OrphanWatch(stage)
            let driver = FaultDriver(stage, plan)
            let begun = BootClock.now()
            let missing = try await watch.during {
                try await watch.waitForAll(within: .seconds(60))
                try await driver.run()
                try await stage.restoreEverything()
                return try await watch.missing(after: .seconds(60))
            }
            let end = BootClock.now()
            let left = try await stage.end()
            let chronicle = try watch.chronicle()
            let report = FaultReport(
                seed: seed, length: end - begun, machines: machines, occurrences: driver.occurrences,
                verdict: Verdict(chronicle, driver.occurrences, end: end), lineCount: chronicle.lineCount,
                missing: missing,
                leftovers: watch.orphans + left)
            try await keep(report, chronicle, stage)
            print(report.markdown)
            #expect(report.verdict.overlaps.isEmpty && report.verdict.orphans.isEmpty)
            #expect(report.verdict.fences.isEmpty)
            #expect(report.missing.isEmpty && report.leftovers.isEmpty)
            #expect(report.injected >= plan.faults.count * 8 / 10, "too many could not be injected")
        }
    }

    /// Writes the report, a picture of what is worth a look, and, if something is wrong, what the daemons said.
    private func keep(_ report: FaultReport, _ chronicle: Chronicle, _ stage: Stage) async throws {
        try report.markdown.write(toFile: folder + "/report.md", atomically: true, encoding: .utf8)
        let verdict = report.verdict
        let clash = (verdict.overlaps + verdict.orphans + verdict.fences).first?.later.first
        let longest = verdict.takeovers.max { $0.length < $1.length }?.end
        let centre = clash ?? longest ?? BootClock.now()
        let picture = Timeline(
            names: stage.names, chronicle: chronicle, occurrences: report.occurrences, from: centre - .seconds(15),
            to: centre + .seconds(15), marks: [centre])
        try picture.svg.write(toFile: folder + "/timeline.svg", atomically: true, encoding: .utf8)
        if verdict.isClean, report.missing.isEmpty, report.leftovers.isEmpty { return }
        for (name, machine) in zip(stage.names, stage.machines) {
            let text = try await machine.daemonsJournal()
            try text.write(toFile: "\(folder)/journal-\(name).txt", atomically: true, encoding: .utf8)
        }
        try? FileManager.default.removeItem(atPath: folder + "/history")
        try FileManager.default.copyItem(atPath: stage.machines[0].history, toPath: folder + "/history")
    }
}
