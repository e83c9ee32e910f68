// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Decides whether the daemon may tell systemd that it is alive.
///
/// It may when its own loops say so: each loop reports progress, and each may be silent only for so long. A daemon with
/// one hung loop must look dead, so that the watchdog ends it and a fresh one takes its runs over; therefore a timer
/// alone never leads to a ping.
package struct ProgressMachine: Equatable, Sendable {
    private struct Loop: Equatable {
        var allowedSilence: Duration
        var lastProgress: Instant
    }

    private var loops: [String: Loop] = [:]
    /// Whether a loop reported since the last ping that was allowed.
    private var hasNewProgress = false

    /// A machine without loops: it allows no ping.
    package init() {}

    /// From now on this loop must report at least once per `allowedSilence`; its start counts as progress.
    package mutating func watch(_ loop: String, allowedSilence: Duration, at now: Instant) {
        loops[loop] = Loop(allowedSilence: allowedSilence, lastProgress: now)
        hasNewProgress = true
    }

    /// A loop got somewhere. A loop that is not watched (any more) is ignored.
    package mutating func progressed(_ loop: String, at now: Instant) {
        guard let last = loops[loop]?.lastProgress else { return }
        loops[loop]?.lastProgress = max(last, now)
        hasNewProgress = true
    }

    /// The loop ended in an orderly way; its silence means nothing any more.
    package mutating func forget(_ loop: String) {
        loops[loop] = nil
    }

    /// The loops that are overdue, in the order of their names.
    package func stalledLoops(at now: Instant) -> [String] {
        loops.filter { now - $0.value.lastProgress > $0.value.allowedSilence }.keys.sorted()
    }

    /// Whether to ping now. A yes uses up the progress that earned it.
    package mutating func shouldPing(at now: Instant) -> Bool {
        guard hasNewProgress, !loops.isEmpty, stalledLoops(at: now).isEmpty else { return false }
        hasNewProgress = false
        return true
    }
}
