// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// What the workloads of a test wrote themselves, and nothing else: the evidence.
struct History: Sendable {
    struct Line: Sendable {
        var at: Instant
        var event: String
        var job: String
        var run: String
        var fence: Int64
        var node: String
        var pid: Int32
        var role: String
    }

    /// One run, from its first line to its last, descendants included.
    struct Run: Sendable, CustomStringConvertible {
        var id: String
        var job: String
        var node: String
        var fence: Int64
        var first: Instant
        var last: Instant
        var pids: Set<Int32>

        var description: String {
            "\(job) on \(node) fence \(fence): \(first.nanoseconds / 1_000_000)–\(last.nanoseconds / 1_000_000) ms"
        }
    }

    let lines: [Line]

    init(path: String) throws {
        let text = String(decoding: try Files.read(path, limit: 1 << 30) ?? [], as: UTF8.self)
        lines = text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 8, let at = Int64(words[0]), let pid = Int32(words[6]) else { return nil }
            return Line(
                at: Instant(nanoseconds: at), event: String(words[1]), job: String(words[2]), run: String(words[3]),
                fence: Int64(words[4]) ?? 0, node: String(words[5]), pid: pid, role: String(words[7]))
        }
    }

    /// In the order of their first lines.
    func runs(of job: String? = nil) -> [Run] {
        var runs: [String: Run] = [:]
        for line in lines where job == nil || line.job == job {
            var run =
                runs[line.run]
                ?? Run(
                    id: line.run, job: line.job, node: line.node, fence: line.fence, first: line.at, last: line.at,
                    pids: [])
            run.first = min(run.first, line.at)
            run.last = max(run.last, line.at)
            run.pids.insert(line.pid)
            runs[line.run] = run
        }
        return runs.values.sorted { $0.first < $1.first }
    }

    /// Every pair of runs of one job that lived at the same time, and every fence that did not grow.
    func violations() -> [String] {
        var found: [String] = []
        for (job, runs) in Dictionary(grouping: runs(), by: \.job) {
            let runs = runs.sorted { $0.first < $1.first }
            for (index, run) in runs.enumerated() {
                for later in runs[(index + 1)...] where later.first <= run.last {
                    found.append("overlap: \(run) / \(later)")
                }
                if index > 0, run.fence <= runs[index - 1].fence {
                    found.append("fence of \(job) went from \(runs[index - 1].fence) to \(run.fence)")
                }
            }
        }
        return found
    }

    /// The longest silence of a run between its first and last line.
    func longestGap(in run: Run) -> Duration {
        let times = lines.filter { $0.run == run.id }.map(\.at).sorted()
        return zip(times, times.dropFirst()).map { $1 - $0 }.max() ?? .zero
    }
}
