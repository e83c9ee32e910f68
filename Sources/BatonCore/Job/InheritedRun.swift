// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// A run that an earlier daemon left behind, and what the machine is told of it.
package struct InheritedRun: Equatable, Sendable {
    package let job: String
    package let run: ActiveRun
    package let event: JobMachine.Event

    package init(job: String, run: ActiveRun, event: JobMachine.Event) {
        self.job = job
        self.run = run
        self.event = event
    }

    /// Which of two runs of one job is to be gone on with: the keeper's flock lets only one be alive, and the later grant
    /// has the lock. The other run was over, and its daemon died before it could remove the folder.
    package func precedes(_ other: InheritedRun) -> Bool {
        (run.isConnected ? 1 : 0, run.record.fence) > (other.run.isConnected ? 1 : 0, other.run.record.fence)
    }
}

/// What a daemon finds in a run's folder when it starts.
package struct FoundRun: Equatable, Sendable {
    package let job: String
    package let runID: String
    /// The bytes of the lease record; nil: there is none.
    package let lease: Bytes?
    /// How it ended, as its keeper or guard wrote it down; nil: nobody did.
    package let end: RunOutcome?

    package init(job: String, runID: String, lease: Bytes?, end: RunOutcome?) {
        self.job = job
        self.runID = runID
        self.lease = lease
        self.end = end
    }

    /// What becomes of it.
    package enum Fate: Equatable, Sendable {
        /// A run of a newer Baton, after a downgrade: who can't renew its lease must not touch it either. Its keeper ends
        /// it when the lease ends, and until then keeps other runs of the job from starting here.
        case leftAlone
        /// It is over, and nothing of it is of use: it is cleared away.
        case discarded
        /// Nobody can have said `go`: its folder is removed, and its keeper, if there is one, exits by itself.
        case forgotten
        case inherited(InheritedRun)
    }

    /// Whether it matters if its keeper says anything.
    package var needsGreeting: Bool { end == nil && record != nil }

    private var record: LeaseRecord? { lease.flatMap { LeaseRecord(decoding: $0) } }

    /// - Parameters:
    ///   - keeper: its keeper's first word; nil: there is no keeper, or none that says any.
    ///   - jitter: 0 ..< 1, for the restart delay after a run that has ended.
    package func fate(_ keeper: KeeperReport.Hello?, jitter: Double) -> Fate {
        if let lease, LeaseRecord.isNewer(lease) { return end == nil ? .leftAlone : .discarded }
        guard let record else { return .forgotten }
        func inherited(_ keeper: ActiveRun.Keeper, _ event: JobMachine.Event) -> Fate {
            let run = ActiveRun(runID: runID, record: record, isInherited: true, keeper: keeper)
            return .inherited(InheritedRun(job: job, run: run, event: event))
        }
        let fence = record.fence
        if let end { return inherited(.gone, .foundEnded(runID: runID, fence: fence, end, jitter: jitter)) }
        switch keeper?.phase {
        // Left alone, it exits.
        case .waiting: return inherited(.gone, .foundEnded(runID: runID, fence: fence, .stopped, jitter: jitter))
        case .starting, .running, .stopping, .leaseEnding, .clearing, .ended:
            let deadline = keeper?.deadline ?? Instant(nanoseconds: 0)
            return inherited(
                .connected, .tookOver(runID: runID, fence: fence, deadline: deadline, pid: keeper?.workload))
        case nil:
            // No keeper and no status: its lease is over for us, and what is left of it is killed first of all.
            let past = Instant(nanoseconds: 0)
            return inherited(.gone, .tookOver(runID: runID, fence: fence, deadline: past, pid: nil))
        }
    }
}
