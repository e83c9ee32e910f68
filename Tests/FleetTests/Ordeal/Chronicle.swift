// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation

/// What the workloads of a long test wrote, line by line folded into runs: the only thing that is judged.
struct Chronicle: Sendable {
    /// Lines without a long silence between them.
    struct Burst: Sendable {
        var first: Instant
        var last: Instant
    }

    struct Run: Sendable {
        var id: String
        var job: String
        var node: String
        var fence: Int64
        /// In order of time, and never empty.
        var bursts: [Burst]
        /// The last line of the workload's main process.
        var mainLast: Instant
        /// Whether it was asked to end, and said so.
        var wasAsked = false
        /// Whether it said itself that it ended.
        var hasEnded = false

        var first: Instant { bursts.first?.first ?? mainLast }
        var last: Instant { bursts.last?.last ?? mainLast }
    }

    private(set) var runs: [String: Run] = [:]
    private(set) var lineCount = 0
    /// By job, in the order in which they were first heard of.
    private(set) var byJob: [String: [String]] = [:]
    private let path: String
    private var offset: UInt64 = 0

    static let silence = Duration.milliseconds(150)

    init(path: String) { self.path = path }

    /// Reads what was appended since the last time.
    mutating func update() throws {
        guard let file = FileHandle(forReadingAtPath: path) else { return }
        defer { try? file.close() }
        try file.seek(toOffset: offset)
        offset += UInt64(read([UInt8](try file.readToEnd() ?? Data())))
    }

    /// Takes whole lines, and says how many bytes these are.
    @discardableResult
    mutating func read(_ bytes: [UInt8]) -> Int {
        guard let end = bytes.lastIndex(of: 10) else { return 0 }
        for line in bytes[...end].split(separator: 10) { add(line) }
        return end + 1
    }

    private mutating func add(_ line: ArraySlice<UInt8>) {
        let words = line.split(separator: 32)
        guard words.count == 8, let at = Int64(Self.text(words[0])) else { return }
        lineCount += 1
        let (instant, id) = (Instant(nanoseconds: at), Self.text(words[3]))
        if runs[id] == nil {
            let job = Self.text(words[2])
            runs[id] = Run(
                id: id, job: job, node: Self.text(words[5]), fence: Int64(Self.text(words[4])) ?? 0,
                bursts: [Burst(first: instant, last: instant)], mainLast: instant)
            byJob[job, default: []].append(id)
        }
        runs[id]?.add(event: words[1], role: words[7], at: instant)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    /// The runs of a job, in the order of their first lines.
    func runs(of job: String) -> [Run] {
        (byJob[job] ?? []).compactMap { runs[$0] }.sorted { $0.first < $1.first }
    }

    /// The runs that were heard of within `time`.
    func living(_ job: String, within time: Duration, of now: Instant) -> [Run] {
        (byJob[job] ?? []).suffix(20).compactMap { runs[$0] }.filter { now - $0.last < time }
    }
}

extension Chronicle.Run {
    fileprivate mutating func add(event: ArraySlice<UInt8>, role: ArraySlice<UInt8>, at instant: Instant) {
        if role.elementsEqual("main".utf8) {
            mainLast = max(mainLast, instant)
            if event.elementsEqual("term".utf8) { wasAsked = true }
            if event.elementsEqual("end".utf8) { hasEnded = true }
        }
        // Processes of one run write in any order, but only a little so.
        guard let burst = bursts.last else { return }
        if instant - burst.last > Chronicle.silence {
            bursts.append(Chronicle.Burst(first: instant, last: instant))
        } else {
            bursts[bursts.count - 1].first = min(burst.first, instant)
            bursts[bursts.count - 1].last = max(burst.last, instant)
        }
    }
}
