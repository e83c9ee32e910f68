// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Turns of events worth having seen: a simulation that never meets them proves nothing about them.
package enum Turn: String, CaseIterable, Sendable {
    case takeover, adopted, tookOver, inheritedEnded, inheritedDead, inheritedAlive, reestablished
    case newStoreSeen, newStoreWaitedFor, orphanSeen, claimPresented, claimGranted, requestTooLate, doubtCleared
    case leaseRanOut, cleared, guardKilled, daemonKilled, startedTooLate, staleOrder, jobLockRefused, launchFailed
    case restartedInPlace, failedOver, exchanged, clockNotice, secondDaemonRefused
    case ledgerSeen, tickSettled, tickClaimed, retryClaimed, tickStarted, retryStarted, outcomeLate, replaced
    case fellAsleep, wokeUp, passedOver, recollected
}

/// What was counted in one world, or in many.
package struct Figures: Sendable {
    package var occurrences = 0
    package var machineEvents = 0
    package var elections = 0
    package var starts = 0
    package var timeouts = 0
    package var refusals = 0
    package var faults = [Int](repeating: 0, count: Fault.Kind.allCases.count)
    package var turns = [Int](repeating: 0, count: Turn.allCases.count)
    /// Overlaps that nobody promised to prevent: in a thaw's instant, and with clocks or hypervisors beyond the promise.
    package var thawOverlaps = 0
    package var beyondOverlaps = 0
    package var failoverOverlaps = 0
    /// Simulated time of all fleets.
    package var nanoseconds: Int64 = 0

    package init() {}

    package var faultCount: Int { faults.reduce(0, +) }

    package static func += (left: inout Figures, right: Figures) {
        left.occurrences += right.occurrences
        left.machineEvents += right.machineEvents
        left.elections += right.elections
        left.starts += right.starts
        left.timeouts += right.timeouts
        left.refusals += right.refusals
        for index in left.faults.indices { left.faults[index] += right.faults[index] }
        for index in left.turns.indices { left.turns[index] += right.turns[index] }
        left.thawOverlaps += right.thawOverlaps
        left.beyondOverlaps += right.beyondOverlaps
        left.failoverOverlaps += right.failoverOverlaps
        left.nanoseconds += right.nanoseconds
    }
}

extension Fault.Kind {
    static let places = Dictionary(uniqueKeysWithValues: zip(allCases, allCases.indices))
}

extension Turn {
    static let places = Dictionary(uniqueKeysWithValues: zip(allCases, allCases.indices))
}
