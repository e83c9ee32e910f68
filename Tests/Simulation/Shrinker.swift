// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Makes a scenario that fails a short one that still does.
package struct Shrinker {
    package private(set) var scenario: Scenario
    private let fails: (Scenario) -> Bool
    private var patience: Int

    /// - Parameters:
    ///   - patience: how many worlds it may live through.
    ///   - fails: whether a scenario is of the kind that is looked for.
    package init(
        _ scenario: Scenario, patience: Int = 2000,
        fails: @escaping (Scenario) -> Bool = { $0.run().failure != nil }
    ) {
        self.scenario = scenario
        self.patience = patience
        self.fails = fails
    }

    /// Leaves faults out, in halves and then one by one; then nodes and jobs; again and again, until nothing more goes.
    package mutating func shrink() {
        var before = -1
        while before != size, patience > 0 {
            before = size
            dropFaults()
            dropNodes()
            dropJobs()
        }
    }

    private var size: Int { scenario.script.count + scenario.nodes.count + scenario.jobs.count }

    private mutating func accept(_ candidate: Scenario) -> Bool {
        if patience == 0 { return false }
        patience -= 1
        guard fails(candidate) else { return false }
        scenario = candidate
        return true
    }

    private mutating func dropFaults() {
        var chunk = max(1, scenario.script.count / 2)
        while true {
            var start = 0
            while start < scenario.script.count {
                var candidate = scenario
                candidate.script.removeSubrange(start..<min(start + chunk, scenario.script.count))
                if !accept(candidate) { start += chunk }
            }
            if chunk == 1 { return }
            chunk /= 2
        }
    }

    private mutating func dropNodes() {
        while scenario.nodes.count > 2 {
            var candidate = scenario
            candidate.nodes.removeLast()
            if !accept(candidate) { return }
        }
    }

    private mutating func dropJobs() {
        while scenario.jobs.count > 1 {
            var candidate = scenario
            let last = candidate.jobs.count - 1
            candidate.jobs.removeLast()
            candidate.script.removeAll { $0.job == last }
            if !accept(candidate) { return }
        }
    }
}
