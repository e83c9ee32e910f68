// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// What became of a fault.
struct Occurrence: Sendable {
    var fault: FaultPlan.Fault
    var node: String?
    /// Nil: it could not be injected.
    var injected: Instant?
    var healed: Instant?
    /// What went wrong with it.
    var note: String?
    /// The job that was held down by it.
    var job: String?

    /// Whether a run that ended at this instant may have ended by it: its consequences last for a lease or a wait.
    func covers(_ instant: Instant, wake: Duration = JobMix.longest * 2 + .seconds(1)) -> Bool {
        guard let injected else { return false }
        return injected - .milliseconds(100) <= instant && instant <= (healed ?? .distantFuture) + wake
    }
}

/// Judges a chronicle: purely, after the fact, and without knowing what Baton says of itself.
struct Verdict: Sendable {
    /// Two runs of one job that lived at once, or one with what was left of the other.
    struct Clash: Sendable {
        var earlier: Chronicle.Run
        var later: Chronicle.Run
        /// How long the earlier one went on after the other's first line.
        var length: Duration
    }

    struct Takeover: Sendable {
        var job: String
        var end: Instant
        var next: Instant
        var from: String
        var to: String
        var length: Duration { next - end }
    }

    /// The main process itself lived on.
    private(set) var overlaps: [Clash] = []
    /// Only descendants did.
    private(set) var orphans: [Clash] = []
    /// A machine that was frozen beyond its lease thawed: user code runs until the keeper's KILL.
    private(set) var thaws: [Clash] = []
    /// Runs whose fence is not larger than the one before.
    private(set) var fences: [Clash] = []
    /// Gaps between the runs of jobs whose runs do not end by themselves.
    private(set) var takeovers: [Takeover] = []
    /// Runs that were ended without a word of their own.
    private(set) var unended: [Chronicle.Run] = []
    /// Those among them that no fault can have ended.
    private(set) var unexplained: [Chronicle.Run] = []
    private(set) var runCount = 0

    /// So long may user code run after a thaw.
    static let thawLimit = Duration.milliseconds(100)

    /// `end` is when everything was stopped, which is no fault, but ends runs as well.
    init(_ chronicle: Chronicle, _ occurrences: [Occurrence], end: Instant = .distantFuture) {
        for job in JobMix.jobs {
            let runs = chronicle.runs(of: job.name)
            runCount += runs.count
            for (index, run) in runs.enumerated() {
                judge(run, against: runs[(index + 1)...].prefix(20), occurrences)
                guard index + 1 < runs.count else { continue }
                let next = runs[index + 1]
                if next.fence <= run.fence {
                    fences.append(Clash(earlier: run, later: next, length: next.first - run.last))
                }
                if !run.hasEnded {
                    unended.append(run)
                    if run.last < end, !occurrences.contains(where: { $0.covers(run.last) }) { unexplained.append(run) }
                }
                let wasHeld = occurrences.contains {
                    $0.job == job.name && $0.covers(run.last) || ($0.job == job.name && $0.covers(next.first))
                }
                if job.lasts, !wasHeld {
                    takeovers.append(
                        Takeover(job: job.name, end: run.last, next: next.first, from: run.node, to: next.node))
                }
            }
        }
    }

    private mutating func judge(
        _ run: Chronicle.Run, against others: ArraySlice<Chronicle.Run>, _ occurrences: [Occurrence]
    ) {
        guard let later = others.first(where: { $0.first <= run.last }) else { return }
        let (kept, thawed) = Self.split(run, occurrences)
        if let thawed, let last = kept, last < later.first {
            return thaws.append(Clash(earlier: run, later: later, length: thawed))
        }
        let length = run.last - later.first
        if run.mainLast < later.first {
            orphans.append(Clash(earlier: run, later: later, length: length))
        } else {
            overlaps.append(Clash(earlier: run, later: later, length: length))
        }
    }

    /// The end of a run without what it did in the first moment after a thaw, and how long that was.
    private static func split(_ run: Chronicle.Run, _ occurrences: [Occurrence]) -> (Instant?, Duration?) {
        guard let burst = run.bursts.last, run.bursts.count > 1 else { return (run.last, nil) }
        let thaw = occurrences.first {
            $0.fault.kind == .machineFrozen && $0.node == run.node
                && $0.healed.map { healed in
                    burst.first >= healed && burst.last - healed < thawLimit
                } ?? false
        }
        guard let healed = thaw?.healed else { return (run.last, nil) }
        return (run.bursts[run.bursts.count - 2].last, burst.last - healed)
    }

    /// Nothing that must never be.
    var isClean: Bool { overlaps.isEmpty && orphans.isEmpty && fences.isEmpty }
}
