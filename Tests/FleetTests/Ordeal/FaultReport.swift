// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The outcome of an ordeal, as Markdown.
struct FaultReport {
    var seed: UInt64
    var length: Duration
    var machines: Int
    var occurrences: [Occurrence]
    var verdict: Verdict
    var lineCount: Int
    /// Jobs that did not run, once, when it was all over.
    var missing: [String]
    /// Processes of runs that were found alive after them.
    var leftovers: [String]

    var injected: Int { occurrences.count { $0.injected != nil } }

    var markdown: String {
        ([
            "# A fleet under faults", "",
            "\(machines) machines, \(JobMix.jobs.count) jobs, seed \(seed), \(length.milliseconds / 1000) s:"
                + " \(injected) faults, \(verdict.runCount) runs, \(lineCount) lines of workloads.", "",
        ] + summary + [""] + table + troubles).joined(separator: "\n") + "\n"
    }

    private var summary: [String] {
        let (times, thaws) = (verdict.takeovers.map(\.length).sorted(), verdict.thaws.map(\.length).max())
        return [
            "| | |", "|---|---|",
            "| overlaps | \(verdict.overlaps.count) |",
            "| orphans | \(verdict.orphans.count + leftovers.count) |",
            "| fences that did not grow | \(verdict.fences.count) |",
            "| jobs that did not run, once each, at the end | \(missing.count) |",
            "| thawed machines whose runs had been replaced | \(verdict.thaws.count)"
                + (thaws.map { ", longest \(Self.text($0))" } ?? "") + " |",
            "| takeovers | \(times.count): median \(Self.text(times, 50)), p99 \(Self.text(times, 99)),"
                + " longest \(Self.text(times, 100)) |",
            "| runs without an end of their own | \(verdict.unended.count), of these without a fault nearby"
                + " \(verdict.unexplained.count) |",
        ]
    }

    /// By kind: what happened while a fault was on or in its wake, other faults or not.
    private var table: [String] {
        var lines = [
            "| fault | injected | overlaps | orphans | takeovers | median | p99 | max |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for kind in FaultKind.allCases {
            let these = occurrences.filter { $0.fault.kind == kind && $0.injected != nil }
            if these.isEmpty, !occurrences.contains(where: { $0.fault.kind == kind }) { continue }
            func covers(_ instant: Instant, _ node: String? = nil) -> Bool {
                these.contains {
                    $0.covers(instant, wake: JobMix.longest) && ($0.node == nil || node == nil || $0.node == node)
                }
            }
            let times = verdict.takeovers.filter { covers($0.end, $0.from) }.map(\.length).sorted()
            let overlaps = verdict.overlaps.count { covers($0.later.first) }
            let orphans = verdict.orphans.count { covers($0.later.first) }
            lines.append(
                "| \(kind.rawValue) | \(these.count) | \(overlaps) | \(orphans) | \(times.count)"
                    + " | \(Self.text(times, 50)) | \(Self.text(times, 99)) | \(Self.text(times, 100)) |")
        }
        return lines
    }

    /// What made others wait longest, with all that happened until the next run.
    private var longest: [String] {
        ["", "## Longest takeovers", ""]
            + verdict.takeovers.sorted { $0.length > $1.length }.prefix(8).map { takeover in
                let during = occurrences.filter { occurrence in
                    occurrence.injected.map { $0 < takeover.next } ?? false
                        && (occurrence.healed ?? .distantFuture) + JobMix.longest > takeover.end
                }
                let faults = during.map { occurrence in
                    let start = occurrence.injected.map { Self.signed($0 - takeover.end) } ?? "?"
                    let end = occurrence.healed.map { Self.signed($0 - takeover.end) } ?? "?"
                    return "\(occurrence.fault.kind.rawValue) \(occurrence.node ?? "") \(start) to \(end)"
                }
                return "- \(takeover.job), \(takeover.from) to \(takeover.to): \(Self.text(takeover.length)); "
                    + faults.joined(separator: ", ")
            }
    }

    private static func signed(_ time: Duration) -> String {
        time < .zero ? "−" + text(Duration.zero - time) : text(time)
    }

    private var troubles: [String] {
        var lines = longest
        for (title, clashes) in [
            ("Overlaps", verdict.overlaps), ("Orphans", verdict.orphans), ("Fences", verdict.fences),
            ("Thaws", verdict.thaws),
        ] where !clashes.isEmpty {
            lines += ["", "## \(title)", ""]
            for clash in clashes {
                lines.append("- \(clash) while \(names(at: clash.later.first))")
            }
        }
        for (title, texts) in [
            ("Not running at the end", missing), ("Left over", leftovers),
            ("Without a fault nearby", verdict.unexplained.map { "\($0)" }),
            (
                "Faults that failed",
                occurrences.compactMap { occurrence in occurrence.note.map { "\(occurrence.fault): \($0)" } }
            ),
        ] where !texts.isEmpty {
            lines += ["", "## \(title)", ""] + texts.map { "- \($0)" }
        }
        return lines
    }

    private func names(at instant: Instant) -> String {
        occurrences.filter { $0.covers(instant) }.map { occurrence in
            let since = occurrence.injected.map { Self.text(instant - $0) } ?? "?"
            return "\(occurrence.fault.kind.rawValue) \(occurrence.node ?? "") (\(since) ago)"
        }.joined(separator: ", ")
    }

    private static func text(_ times: [Duration], _ percent: Int) -> String {
        times.isEmpty ? "–" : text(times[min(times.count - 1, times.count * percent / 100)])
    }

    private static func text(_ time: Duration) -> String {
        time < .seconds(1)
            ? "\(time.microseconds / 100 / 10).\(time.microseconds / 100 % 10) ms"
            : "\(time.milliseconds / 1000).\(String(time.milliseconds % 1000 / 10 + 100).dropFirst()) s"
    }
}

extension Chronicle.Run: CustomStringConvertible {
    var description: String {
        "\(job) on \(node), run \(id), fence \(fence), \(first.nanoseconds / 1_000_000)–\(last.nanoseconds / 1_000_000) ms"
    }
}

extension Verdict.Clash: CustomStringConvertible {
    var description: String { "\(earlier) and \(later): \(length.microseconds) µs" }
}
