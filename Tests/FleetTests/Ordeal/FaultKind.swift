// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What is done to the fleet. How is in `Stage+….swift`; what is not over by itself is healed after a while.
enum FaultKind: String, CaseIterable, Sendable {
    // Processes of a machine.
    case daemonKilled, daemonAborted, daemonStopped, daemonHung
    case keeperKilled, keeperStopped, guardKilled, guardStopped
    case workloadKilled, workloadStopped, workloadAborted
    case keeperAndDaemonKilled, guardAndDaemonKilled, keeperAndGuardKilled, journalStopped

    // Whole machines.
    case machineFrozen, powerLost, rebooted, forkFails

    // What its daemon has to live with.
    case runtimeFull, stateFull, clockStepped

    // Lines.
    case cableCut, switchingCut, repliesCut, requestsCut, routeCut
    case lineLoses, lineDelays, lineDuplicates, lineStutters

    // The server.
    case switchDown, serverKilled, serverForgot, serverStopped, serverFlushed, clientsKilled, clientsPaused
    case serverSlept, serverFull, serverReadOnly, failover, serverClockStepped

    // Its operators.
    case reloaded, reloadedBadly, unitRestarted, unitStopped, reexecuted, jobStopped

    /// What it happens to: one fault at a time each.
    enum Place: String, Sendable { case machine, daemon, line, server, job }

    var place: Place {
        switch self {
        case .runtimeFull, .stateFull, .clockStepped: .daemon
        case .cableCut, .switchingCut, .repliesCut, .requestsCut, .routeCut: .line
        case .lineLoses, .lineDelays, .lineDuplicates, .lineStutters: .line
        case .switchDown, .serverKilled, .serverForgot, .serverStopped, .serverFlushed, .clientsKilled: .server
        case .clientsPaused, .serverSlept, .serverFull, .serverReadOnly, .failover, .serverClockStepped: .server
        case .jobStopped: .job
        default: .machine
        }
    }

    /// How long it is on, in milliseconds; nil: it is a moment.
    var length: ClosedRange<Int>? {
        switch self {
        case .daemonStopped: 300...4000
        // Until the watchdog has killed it.
        case .daemonHung: 7000...9000
        case .keeperStopped, .guardStopped, .workloadStopped, .journalStopped: 500...7000
        case .machineFrozen: 300...9000
        case .powerLost: 200...6000
        case .forkFails: 1000...7000
        case .runtimeFull, .stateFull: 2000...9000
        case .cableCut, .switchingCut, .repliesCut, .requestsCut, .routeCut, .switchDown: 300...8000
        case .lineLoses, .lineDelays, .lineDuplicates, .lineStutters: 3000...10000
        case .serverKilled, .serverForgot: 0...3000
        case .serverStopped, .clientsPaused: 300...6000
        case .serverSlept: 300...3000
        case .serverFull, .serverReadOnly: 1000...6000
        case .failover: 100...2500
        case .unitStopped: 100...4000
        case .jobStopped: 1000...5000
        default: nil
        }
    }

    /// How long its place is left alone afterwards, in milliseconds.
    var rest: Int {
        switch self {
        // The fleet waits for `max_lock_timeout`, and then something has to run before the next one.
        case .serverKilled, .serverForgot, .serverFlushed, .serverReadOnly, .failover: 12_000
        // A server clock that steps back and forth within one lease is beyond what is promised.
        case .serverClockStepped: 10_000
        case .powerLost, .rebooted: 1000
        default: 500
        }
    }
}
