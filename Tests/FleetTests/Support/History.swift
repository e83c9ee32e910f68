// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation

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

    private(set) var lines: [Line] = []
    private let path: String
    private var offset: UInt64 = 0

    init(path: String) { self.path = path }

    /// Reads what was appended since the last time. (A long test's file is too long to be read whole each time.)
    mutating func update() throws {
        guard let file = FileHandle(forReadingAtPath: path) else { return }
        defer { try? file.close() }
        try file.seek(toOffset: offset)
        let new = try file.readToEnd() ?? Data()
        guard let end = new.lastIndex(of: 10) else { return }
        offset += UInt64(new.distance(from: new.startIndex, to: end)) + 1
        for line in new[...end].split(separator: 10) {
            let words = line.split(separator: 32).map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 8, let at = Int64(words[0]), let pid = Int32(words[6]) else { continue }
            lines.append(
                Line(
                    at: Instant(nanoseconds: at), event: words[1], job: words[2], run: words[3],
                    fence: Int64(words[4]) ?? 0, node: words[5], pid: pid, role: words[7]))
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
