// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The run that a job's loop holds the lock for.
package struct ActiveRun: Equatable, Sendable {
    /// How the loop stands to the run's keeper.
    package enum Keeper: Equatable, Sendable {
        /// It was asked for, or is about to be.
        case awaited
        case connected
        /// It said that nothing is left of the run, and waits for its leave.
        case ended
        /// As ended, and the connection is gone.
        case done
        /// Given up before it was told to go: nothing of the run ever runs.
        case abandoned
        /// It is gone without such a word, or there never was one.
        case gone
    }

    package let runID: String
    /// The token and the fence.
    package var record: LeaseRecord
    /// The token is still an earlier daemon's.
    package var isInherited: Bool
    package var keeper: Keeper

    package init(runID: String, record: LeaseRecord, isInherited: Bool = false, keeper: Keeper = .awaited) {
        self.runID = runID
        self.record = record
        self.isInherited = isInherited
        self.keeper = keeper
    }

    /// Whether its keeper hears orders.
    package var isConnected: Bool {
        switch keeper {
        case .connected, .ended: true
        case .awaited, .done, .abandoned, .gone: false
        }
    }

    /// Whether its keeper said that nothing is left of it.
    package var hasEnded: Bool {
        switch keeper {
        case .ended, .done: true
        case .awaited, .connected, .abandoned, .gone: false
        }
    }
}
