// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// One run: its folder, its keeper and guard, and its workload. It survives the daemon.
struct Run {
    enum Life {
        /// Not begun, or asked for and not there.
        case none
        /// Forked, and not yet at work.
        case coming
        case alive
        /// SIGSTOP.
        case stopped
        case gone

        var exists: Bool { self == .coming || self == .alive || self == .stopped }
    }

    enum MainProcess { case none, forked, running, dead }

    let runID: String
    /// The number in it.
    let number: Int
    let node: Int
    let job: Int
    let fence: Int64
    var keeper = Life.none
    var guardian = Life.none
    var machine: KeeperMachine
    var work: Scenario.Work
    let lostGrace: Duration

    // The folder.
    var record: LeaseRecord
    var status: RunEnd?
    var hasFolder = false
    /// The daemon knows the end, and is about to remove the folder.
    var isSettled = false

    /// The connection that the keeper obeys.
    var link: Int32?
    /// In memory that keeper and guard share.
    var boardDeadline: Instant?
    var keeperWake: Instant?
    var guardNext: Instant?

    // The workload.
    var main = MainProcess.none
    var strays = 0
    var hadEscape = false
    var wasStarted = false
    /// The keeper knows that its main process is dead.
    var isReaped = false
    var exit: RunEnd.Exit?
    var termAt: Int64?

    // What the judge remembers.
    /// The latest deadline that the daemon told the keeper; that the keeper took in.
    var toldDeadline: Instant?
    var heardDeadline: Instant?
    var isWatched = false
    var continuedAt: Int64 = .min

    /// Processes of the workload that run a user's code.
    var isLive: Bool { main == .running || strays > 0 }
    /// Also a child that has not yet become the user's program.
    var hasProcesses: Bool { isLive || main == .forked }
}

/// What goes from a daemon to a keeper.
struct Order {
    enum Content {
        case order(KeeperOrder)
        /// A daemon connects.
        case connection
        /// The daemon's end is closed.
        case end
    }
    let link: Int32
    let content: Content
}

/// What a daemon hears of a keeper; nil: the connection, or the process, is gone.
struct Word {
    let link: Int32
    let report: KeeperReport?
}
