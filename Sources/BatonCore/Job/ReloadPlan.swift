// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What becomes of each job when the files are read again.
package struct ReloadPlan: Equatable, Sendable {
    package enum Fate: Equatable, Sendable {
        case added
        case removed
        case changed(JobChange)
        case unchanged
    }

    /// By the job's name.
    package let fates: [String: Fate]

    /// From the definitions that count now to those that shall.
    package init(from old: [String: JobDefinition], to new: [String: JobDefinition]) {
        var fates = old.mapValues { _ in Fate.removed }
        for (name, definition) in new {
            guard let before = old[name] else {
                fates[name] = .added
                continue
            }
            let change = before.change(to: definition)
            fates[name] = change.effect == .none ? .unchanged : .changed(change)
        }
        self.fates = fates
    }

    /// The plan in words.
    ///
    /// - Parameters:
    ///   - running: the jobs that run on this node, and so would notice.
    ///   - competing: the jobs that this node runs or stands by for, by the new definitions.
    package func report(running: Set<String>, competing: Set<String>) -> ReloadReport {
        var report = ReloadReport()
        for (name, fate) in fates.sorted(by: { $0.key < $1.key }) {
            switch fate {
            case .added: report.added.append(name)
            case .removed: report.removed.append(name)
            case .unchanged: report.unchanged.append(name)
            case .changed(let change):
                report.changed.append(.init(job: name, keys: change.keys))
                if change.effect == .restart, running.contains(name), competing.contains(name) {
                    report.restarted.append(name)
                }
            }
            if running.contains(name), !competing.contains(name) { report.stopped.append(name) }
        }
        return report
    }
}
