// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension KeeperMachine {
    /// What has happened.
    package enum Event: Equatable, Sendable {
        /// A daemon connected; it is the one that is obeyed now.
        case connected
        /// The connection that is obeyed is gone.
        case connectionLost
        /// The workload may start, and run until then.
        case goReceived(deadline: Instant)
        /// It may run until then, if that is later than what was said before.
        case extended(deadline: Instant)
        /// The daemon asked for an ordinary stop.
        case stopRequested
        /// The daemon asked for a KILL.
        case killRequested
        /// The daemon knows of the end.
        case acknowledged
        /// The program runs.
        case workloadStarted(pid: Int32)
        /// The program does not run, and will not.
        case startFailed(step: StartStep, errno: Int32)
        /// The main process was reaped.
        case mainExited(RunEnd.Exit)
        /// The main process was reaped and nothing else of the run is left.
        case treeEmpty
        /// The workload said something of itself.
        case notified(WorkloadNotice)
        /// The guard is gone.
        case guardDied
        /// The time asked for with `wake` has come.
        case woke
    }

    /// What is to be done.
    package enum Action: Equatable, Sendable {
        /// Tell the daemon that has just connected who we are and how far the run has come.
        case greet(phase: KeeperPhase, deadline: Instant?, workload: Int32?)
        /// Start the program.
        case startWorkload
        /// Send a signal to the workload.
        case signalWorkload(Int32)
        /// Kill everything there is of the run, once.
        case killTree
        /// Tell the daemon, if there is one.
        case report(KeeperReport)
        /// Put everything away, and write down how the run ended.
        case writeStatus(RunEnd)
        /// Leave.
        case exit
        /// Replaces the time asked for before.
        case wake(at: Instant)
    }
}
