// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Many worlds, one after the other.
package struct Campaign {
    package var firstSeed: UInt64 = 1
    /// Simulated hours; nil: as many as there is time for.
    package var hours: Double?
    /// Real time; nil: as long as it takes.
    package var seconds: Double?

    package private(set) var figures = Figures()
    package private(set) var worlds = 0
    private var took = 0.0

    package init() {}

    /// A world that went wrong.
    package struct Failure: Sendable {
        package let seed: UInt64
        package let what: String
    }

    /// - Parameter clock: real time, in seconds.
    /// - Returns: the first world that went wrong.
    package mutating func run(clock: () -> Double) -> Failure? {
        let begun = clock()
        defer { took = clock() - begun }
        var seed = firstSeed
        while isUnfinished(clock() - begun) {
            let verdict = Scenario(seed: seed).run()
            figures += verdict.figures
            worlds += 1
            if let what = verdict.failure { return Failure(seed: seed, what: what) }
            seed &+= 1
        }
        return nil
    }

    private func isUnfinished(_ elapsed: Double) -> Bool {
        if let hours, Double(figures.nanoseconds) >= hours * 3.6e12 { return false }
        if let seconds, elapsed >= seconds { return false }
        return hours != nil || seconds != nil || worlds == 0
    }

    /// What was done, in a few lines.
    package var report: String {
        let span = max(took, 1e-9)
        var lines = [
            "\(worlds) worlds, \(Int(Double(figures.nanoseconds) / 3.6e12)) fleet-hours in \(Int(took)) s: "
                + "\(figures.machineEvents) machine events (\(Int(Double(figures.machineEvents) / span)) a second), "
                + "\(figures.faultCount) faults (\(Int(Double(figures.faultCount) / span * 60)) a minute), "
                + "\(figures.elections) elections, \(figures.starts) starts",
            "overlaps that nobody promised to prevent: \(figures.thawOverlaps) in a thaw's instant, "
                + "\(figures.beyondOverlaps) with clocks beyond the margin or a hypervisor's pause, "
                + "\(figures.failoverOverlaps) after a failover that no yes waits for",
        ]
        lines.append(
            "faults: "
                + Fault.Kind.allCases.enumerated().map { "\($1.rawValue) \(figures.faults[$0])" }.joined(
                    separator: ", "))
        lines.append(
            "seen: "
                + Turn.allCases.enumerated().map { "\($1.rawValue) \(figures.turns[$0])" }.joined(separator: ", "))
        return lines.joined(separator: "\n")
    }
}

extension Campaign.Failure {
    /// What went wrong and how, with as few faults as it takes.
    package func text(shrinking: Bool, lines: Int = 400) -> String {
        var shrinker = Shrinker(Scenario(seed: seed))
        if shrinking { shrinker.shrink() }
        let verdict = shrinker.scenario.run(recording: true)
        let script = shrinker.scenario.script.map { "    \(seconds($0.at))  \($0)" }
        return
            (["seed \(seed): \(what)", "shortened: \(verdict.failure ?? "")", "faults:"] + script + ["history:"]
            + verdict.history.suffix(lines))
            .joined(separator: "\n")
    }
}
