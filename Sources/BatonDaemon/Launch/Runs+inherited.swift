// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Logging

/// Runs of an earlier daemon.
extension Runs {
    /// What an earlier daemon left in the runtime directory, by job: runs to take over, and runs that ended meanwhile.
    func inherited(_ logger: Logger) async -> [String: InheritedRun] {
        await withTaskGroup(of: InheritedRun?.self) { group in
            for directory in RunDirectory.list(runtime: runtime) {
                group.addTask { await inherit(directory, logger) }
            }
            var runs: [String: InheritedRun] = [:]
            for await found in group {
                guard let found else { continue }
                guard let other = runs[found.job] else {
                    runs[found.job] = found
                    continue
                }
                // Two folders of one job: the keeper's flock lets only one be alive, and the later grant has the lock.
                // The other run was over, and its daemon died before it could remove the folder.
                func rank(_ run: InheritedRun) -> (Int, Int64) { (run.run.link == nil ? 0 : 1, run.run.record.fence) }
                let (kept, over) = rank(found) > rank(other) ? (found, other) : (other, found)
                runs[found.job] = kept
                if over.run.link == nil {
                    group.addTask {
                        await discard(job: over.job, runID: over.run.runID)
                        return nil
                    }
                }
            }
            return runs
        }
    }

    private func inherit(_ directory: RunDirectory, _ logger: Logger) async -> InheritedRun? {
        let bytes = (try? directory.read(File.lease)) ?? nil
        if let bytes, LeaseRecord.isNewer(bytes) { return await leaveAlone(directory, logger) }
        guard let record = bytes.flatMap({ LeaseRecord(decoding: $0) }) else {
            // Without a record nobody can have said `go`: its keeper, if there is one, exits by itself.
            directory.remove()
            return nil
        }
        var run = ActiveRun(runID: directory.runID, record: record)
        run.isInherited = true
        if let end = (try? directory.status()) ?? nil {
            return InheritedRun(job: directory.job, run: run, event: ended(run, RunOutcome(end)))
        }
        if let link = try? KeeperLink.connect(to: directory, reactor: means.reactor),
            let hello = await greeting(of: link)
        {
            switch hello.phase {
            case .waiting:
                link.close()
                return InheritedRun(job: directory.job, run: run, event: ended(run, .stopped))
            case .starting, .running, .stopping, .leaseEnding, .clearing, .ended:
                run.link = link
                let deadline = hello.deadline ?? Instant(nanoseconds: 0)
                return InheritedRun(
                    job: directory.job, run: run,
                    event: .tookOver(runID: run.runID, fence: record.fence, deadline: deadline, pid: hello.workload))
            }
        }
        // No keeper and no status: its lease is over for us, and what is left of it is killed first of all.
        let past = Instant(nanoseconds: 0)
        return InheritedRun(
            job: directory.job, run: run,
            event: .tookOver(runID: run.runID, fence: record.fence, deadline: past, pid: nil))
    }

    /// A run of a newer Baton, after a downgrade: who can't renew its lease must not touch it either. Its keeper ends it
    /// when the lease ends, and until then keeps other runs of the job from starting here.
    private func leaveAlone(_ directory: RunDirectory, _ logger: Logger) async -> InheritedRun? {
        if (try? directory.status()) ?? nil != nil {
            await discard(job: directory.job, runID: directory.runID)
            return nil
        }
        logger.log(
            level: .warning, "a run of a newer version is left alone: it ends when its lease ends",
            event: .runLeftAlone,
            metadata: ["job": "\(directory.job)", "run": "\(directory.runID)"])
        return nil
    }

    private func ended(_ run: ActiveRun, _ outcome: RunOutcome) -> JobMachine.Event {
        .foundEnded(runID: run.runID, fence: run.record.fence, outcome, jitter: .random(in: 0..<1))
    }

    /// A keeper's first word; nil: it does not say any within two seconds.
    private func greeting(of link: KeeperLink) async -> KeeperReport.Hello? {
        await link.events.first(within: .seconds(2)) { event in
            if case .report(.hello(let hello)) = event { hello } else { nil }
        }
    }
}
