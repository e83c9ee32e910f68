// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension JobLoop {
    /// What it is woken by.
    package enum Message: Equatable, Sendable {
        /// It is to compete.
        case begun
        /// It is to go on with a run of an earlier daemon.
        case inherited(InheritedRun)
        /// Something that is the machine's alone.
        case event(JobMachine.Event)
        /// A competition is over: with a grant, for a run that is to be called so; or without.
        case electionOver(Int, LockGrant?, runID: String)
        /// A competition is over, because the job has nothing to do for a while.
        case dormant(Int)
        /// A keeper is up and connected.
        case launched(runID: String)
        /// A keeper could not be started, and why.
        case launchFailed(runID: String, String)
        case keeper(runID: String, KeeperWord)
        /// Every process of the run is gone, seen by this daemon itself; nil: nobody wrote down how.
        case treeGone(runID: String, RunOutcome?)
        /// The node became full, or has room again.
        case roomChanged
        /// An announcement: the mark beside the lock may have changed. Also after each new connection to the store.
        case rang
        /// The next tick is due while this run goes on, and is to replace it.
        case preempted(runID: String)
        /// What came of a renewal, and the lease record if it is another now.
        case renewed(runID: String, LeaseMachine.Event, LeaseRecord?)
    }

    /// What a keeper says that counts for its run.
    package enum KeeperWord: Equatable, Sendable {
        /// It is up and waits for its `go`.
        case ready
        case started(pid: Int32)
        case ended(RunOutcome)
        /// The connection is gone.
        case hungUp
    }

    package enum Effect: Equatable, Sendable {
        /// Compete for the lock; before that try to keep what the loop before left.
        case compete(election: Int, LockLegacy?)
        /// End the competition that goes on.
        case withdraw
        case giveBack(LockLegacy)
        case launch(runID: String, LeaseRecord)
        /// The keeper of this run is the one that is told things from now on, and listened to.
        case listen(runID: String)
        /// Close the connection to a keeper that was never told to go, so that it exits, and clear away what its run left.
        case dismiss(runID: String)
        /// Tell the keeper.
        case tell(KeeperOrder)
        /// Kill whatever is left of the run, until nothing is.
        case clear(runID: String)
        /// The keeper itself, which has no workload any more and does not say so.
        case killKeeper
        case renew(ActiveRun, until: Instant, within: Duration)
        case release(LeaseRecord, Mark?)
        /// Take note of the run's end.
        case settle(ActiveRun, RunOutcome)
        case lookAtMark
        /// Tell the store what this node remembers of the job's ticks: no competition does, and it may have lost them.
        case recollect
        /// The node is to remember that there was such a fence.
        case noteFence(Int64)
        /// In place of any earlier one.
        case wake(at: Instant)
        /// For log and status.
        case moved(by: JobMachine.Event, from: JobMachine.Description, to: JobMachine.Description)
    }
}
