// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Logging

/// A run that an earlier daemon left behind, and its keeper, if that answers.
struct RunLeftBehind: Sendable {
    let found: InheritedRun
    let link: KeeperLink?
}

/// Runs of an earlier daemon.
extension Runs {
    /// What an earlier daemon left in the runtime directory, by job: runs to take over, and runs that ended meanwhile.
    func inherited(_ logger: Logger) async -> [String: RunLeftBehind] {
        await withTaskGroup(of: RunLeftBehind?.self) { group in
            for directory in RunDirectory.list(runtime: runtime) {
                group.addTask { await inherit(directory, logger) }
            }
            var runs: [String: RunLeftBehind] = [:]
            for await run in group {
                guard let run else { continue }
                let job = run.found.job
                guard let other = runs[job] else {
                    runs[job] = run
                    continue
                }
                let (kept, over) = run.found.precedes(other.found) ? (run, other) : (other, run)
                runs[job] = kept
                if over.link == nil {
                    group.addTask {
                        await discard(job: job, runID: over.found.run.runID)
                        return nil
                    }
                }
            }
            return runs
        }
    }

    private func inherit(_ directory: RunDirectory, _ logger: Logger) async -> RunLeftBehind? {
        let found = FoundRun(
            job: directory.job, runID: directory.runID, lease: (try? directory.read(File.lease)) ?? nil,
            end: ((try? directory.status()) ?? nil).map { RunOutcome($0) })
        var link = found.needsGreeting ? try? KeeperLink.connect(to: directory, reactor: means.reactor) : nil
        var hello: KeeperReport.Hello?
        if let link { hello = await greeting(of: link) }
        switch found.fate(hello, jitter: .random(in: 0..<1)) {
        case .inherited(let inherited):
            if !inherited.run.isConnected {
                link?.close()
                link = nil
            }
            return RunLeftBehind(found: inherited, link: link)
        case .forgotten: directory.remove()
        case .discarded: await discard(job: directory.job, runID: directory.runID)
        case .leftAlone:
            logger.log(
                level: .warning, "a run of a newer version is left alone: it ends when its lease ends",
                event: .runLeftAlone,
                metadata: ["job": "\(directory.job)", "run": "\(directory.runID)"])
        }
        return nil
    }

    /// A keeper's first word; nil: it does not say any within two seconds.
    private func greeting(of link: KeeperLink) async -> KeeperReport.Hello? {
        await link.events.first(within: .seconds(2)) { event in
            if case .report(.hello(let hello)) = event { hello } else { nil }
        }
    }
}
