// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// All jobs of a node, as far as it is decided: what the files say of them, and which of them have a loop.
///
/// A job has one loop at a time. When its definition changes, its loop is told to be done, and only when it is, another
/// one begins with whatever the files say by then. So a job that is removed and added again while it still stops neither
/// runs twice nor is forgotten.
package struct JobRoster: Equatable, Sendable {
    /// How it ends: it is decided once.
    package enum Ending: Equatable, Sendable {
        /// Every job is stopped.
        case drained
        /// Runs are left to the daemon that comes next.
        case relieved
    }

    package enum Order: Equatable, Sendable {
        /// Begin a loop; it has the lock that the one before left.
        case begin(JobDefinition, LockLegacy?)
        /// Tell the job's loop.
        case tell(String, JobMachine.Event)
        /// Tell the job's loop what leaves its run alone, and counts when it is done.
        case supersede(String, JobDefinition)
        /// The job has no loop: show what there is to be seen of it.
        case showIdle(String)
        /// Nobody follows. Until the lock is given back nobody will: then the loop is over once more, without it.
        case giveBack(String, LockLegacy)
    }

    private let node: NodeProfile
    /// What the files say.
    package private(set) var definitions: [String: JobDefinition]
    /// Jobs whose files can't be used; only a start has such.
    package private(set) var invalid: Set<String>
    /// What the loops that turn were begun with, also those that are about to be done.
    private var loops: [String: JobDefinition] = [:]
    package private(set) var ending: Ending?

    package init(_ jobs: [JobDefinition], invalid: Set<String>, on node: NodeProfile) {
        definitions = Self.byName(jobs)
        self.invalid = invalid
        self.node = node
    }

    /// - Parameter inherited: the lock timeouts of runs that an earlier daemon left, by job.
    package mutating func begin(inherited: [String: Duration]) -> [Order] {
        var orders: [Order] = []
        for (name, timeout) in inherited.sorted(by: { $0.key < $1.key }) {
            // A run whose job file is gone or broken is taken over all the same, to be stopped properly.
            var standIn = JobDefinition(name: name, command: .program(["?"]))
            standIn.lock.timeout = timeout
            standIn.enabled = false
            orders.append(begin(definitions[name] ?? standIn, nil))
        }
        for name in invalid.union(definitions.keys).sorted() where loops[name] == nil {
            orders.append(succession(of: name, nil) ?? .showIdle(name))
        }
        return orders
    }

    private mutating func begin(_ definition: JobDefinition, _ legacy: LockLegacy?) -> Order {
        loops[definition.name] = definition
        return .begin(definition, legacy)
    }

    /// The loop that the files ask for; nil: none.
    private mutating func succession(of job: String, _ legacy: LockLegacy?) -> Order? {
        guard ending == nil, let definition = definitions[job], competes(definition) else { return nil }
        return begin(definition, legacy)
    }

    private func competes(_ job: JobDefinition) -> Bool { Standing(of: job, on: node) == .competes }

    /// What the job's loop was begun with; nil: it has none. A loop is dormant while its job has nothing to do.
    package func loop(of job: String) -> JobDefinition? { loops[job] }

    /// The loop of a job is done: what the files say of it by now counts.
    ///
    /// - Parameter legacy: the lock, if the loop still had it for the next one.
    package mutating func loopEnded(_ job: String, leaving legacy: LockLegacy?) -> Order? {
        if let next = succession(of: job, legacy) { return next }
        if let legacy { return .giveBack(job, legacy) }
        loops[job] = nil
        return ending == nil ? .showIdle(job) : nil
    }

    // MARK: Other definitions

    /// From now on these are the node's jobs. A job that is as it was is not touched.
    ///
    /// - Returns: nil when the node stops: nothing was changed.
    package mutating func apply(_ jobs: [JobDefinition]) -> [Order]? {
        if ending != nil { return nil }
        let old = definitions
        let gone = invalid.union(old.keys).subtracting(jobs.map(\.name))
        definitions = Self.byName(jobs)
        invalid = []
        var orders = gone.sorted().map { loops[$0] == nil ? Order.showIdle($0) : .tell($0, .drain) }
        for definition in jobs where old[definition.name] != definition {
            orders.append(redefine(definition))
        }
        return orders
    }

    private mutating func redefine(_ definition: JobDefinition) -> Order {
        let name = definition.name
        guard let loop = loops[name] else { return succession(of: name, nil) ?? .showIdle(name) }
        // What its loop was begun with counts, not what the files said since: they may have changed back.
        switch loop.change(to: definition).effect {
        case _ where !competes(definition): return .tell(name, .drain)
        case .restart: return .tell(name, .replaced)
        case .none, .withoutRestart: return .supersede(name, definition)
        }
    }

    /// What ``apply(_:)`` would do now.
    ///
    /// - Parameter isRunning: whether a run of the job is on this node.
    package func report(on jobs: [JobDefinition], isRunning: (String) -> Bool) -> ReloadReport {
        let new = Self.byName(jobs)
        var report = ReloadPlan(from: definitions, to: new).report(
            running: Set(loops.keys.filter(isRunning)), competing: Set(new.values.filter(competes).map(\.name)))
        report.removed += invalid.filter { new[$0] == nil }
        report.removed.sort()
        return report
    }

    private static func byName(_ jobs: [JobDefinition]) -> [String: JobDefinition] {
        Dictionary(jobs.map { ($0.name, $0) }) { $1 }
    }

    // MARK: The end

    /// No loop begins any more.
    ///
    /// - Returns: what the loops are told; nil: another end was decided before.
    package mutating func end(_ ending: Ending) -> [Order]? {
        if let decided = self.ending, decided != ending { return nil }
        self.ending = ending
        let event: JobMachine.Event =
            switch ending {
            case .drained: .drain
            case .relieved: .relieved
            }
        return loops.keys.sorted().map { .tell($0, event) }
    }
}
