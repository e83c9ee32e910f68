// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// One thing that goes wrong, or that an operator does, as a value: a script of these is made from a seed, and can be
/// shortened.
package struct Fault: Equatable, Sendable {
    package enum Kind: String, CaseIterable, Sendable {
        // The store.
        case flush, loseLock, loseEpoch, restartWithData, restartWithOlderData, restartEmpty, storeStop, storeSlow,
            storeRefuses
        case storeClockForward, storeClockBack, failover, replicaCut, exchange
        // The network between a node and the store.
        case cut, cutUp, cutDown, lossy, late, duplicate, reset
        // A daemon.
        case crash, hang, reexec, drain, secondDaemon
        // The processes of a run.
        case keeperKill, guardKill, keeperStop, guardStop, twinsStop, workloadKill
        // A machine.
        case freeze, powerOff, slowLaunch, launchFails, diskFull
        // Beyond what is promised; counted apart.
        case vmPause, clockBeyondMargin
        // Operators.
        case restartingReload, quietReload, disable, enable, holdDown, letRun
    }

    /// Whom it hits, decided when it happens.
    package enum Target: Equatable, Sendable {
        case node(Int)
        /// The node that runs the job; any node when nobody does.
        case holder
        /// A node that does not run it.
        case bystander
        case all
    }

    /// True time in nanoseconds.
    package var at: Int64
    package var kind: Kind
    package var target: Target
    package var job: Int
    /// How long it lasts.
    package var span: Int64
    /// How much: a delay, a step of a clock.
    package var amount: Int64

    var isBeyondPromise: Bool { kind == .vmPause || kind == .clockBeyondMargin }
}

extension Fault: CustomStringConvertible {
    package var description: String {
        let whom =
            switch target {
            case .node(let node): "node \(node + 1)"
            case .holder: "the holder of job \(job + 1)"
            case .bystander: "a bystander of job \(job + 1)"
            case .all: "everybody"
            }
        return "\(kind.rawValue) (\(whom), job \(job + 1), for \(seconds(span)), by \(seconds(amount)))"
    }
}

/// A readable time.
func seconds(_ nanoseconds: Int64) -> String {
    let micro = nanoseconds / 1000
    let (whole, rest) = (micro / 1_000_000, abs(micro % 1_000_000))
    let digits = String(rest)
    let sign = micro < 0 && whole == 0 ? "-" : ""
    return "\(sign)\(whole)." + String(repeating: "0", count: 6 - digits.count) + digits
}
