// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// A stretch of time as a picture: for each machine its runs, and above them what happened to it.
struct Timeline {
    var names: [String]
    var chronicle: Chronicle
    var occurrences: [Occurrence]
    var from: Instant
    var to: Instant
    /// Moments to look at.
    var marks: [Instant] = []

    private static let (left, width, row) = (90, 1400, 14)
    private static let colours = [
        "#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#76b7b2", "#edc948", "#9c755f", "#ff9da7", "#86bcb6", "#a0cbe8",
    ]

    private func x(_ instant: Instant) -> Int {
        let inside = min(max(instant, from), to) - from
        return Self.left + Int(inside.microseconds * Int64(Self.width) / max(1, (to - from).microseconds))
    }

    private func bar(_ first: Instant, _ last: Instant, y: Int, _ colour: String, _ title: String) -> String {
        let (start, end) = (x(first), x(last))
        return "<rect x=\"\(start)\" y=\"\(y)\" width=\"\(max(1, end - start))\" height=\"\(Self.row - 3)\""
            + " fill=\"\(colour)\"><title>\(Self.escaped(title))</title></rect>"
    }

    private static func label(_ text: String, x: Int, y: Int, _ rest: String = "") -> String {
        "<text x=\"\(x)\" y=\"\(y)\" \(rest)>\(escaped(text))</text>"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    var svg: String {
        var parts: [String] = []
        var y = 24
        for name in [nil] + names.map(Optional.some) {
            parts.append(Self.label(name ?? "server, jobs", x: 4, y: y + 10, "font-weight=\"bold\""))
            y = drawFaults(of: name, at: y, &parts)
            if let name { y = drawRuns(of: name, at: y, &parts) }
            y += 10
        }
        for mark in marks where from <= mark && mark <= to {
            parts.append("<line x1=\"\(x(mark))\" x2=\"\(x(mark))\" y1=\"18\" y2=\"\(y)\" stroke=\"#d00\"/>")
        }
        for second in stride(from: Int64(0), through: (to - from).milliseconds / 1000, by: 1) {
            let place = x(from + .seconds(second))
            parts.append("<line x1=\"\(place)\" x2=\"\(place)\" y1=\"14\" y2=\"\(y)\" stroke=\"#0001\"/>")
            if second % 5 == 0 { parts.append(Self.label("\(second) s", x: place, y: 12)) }
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(Self.left + Self.width + 10)" height="\(y + 10)" \
            font-family="sans-serif" font-size="10">
            <rect width="100%" height="100%" fill="#fff"/>
            \(parts.joined(separator: "\n"))
            </svg>

            """
    }

    private func drawFaults(of name: String?, at top: Int, _ parts: inout [String]) -> Int {
        var ends: [Instant] = []
        let these = occurrences.filter { $0.node == name }.compactMap { occurrence in
            occurrence.injected.map { (occurrence, $0, occurrence.healed ?? to) }
        }.filter { $0.1 < to && $0.2 > from }.sorted { $0.1 < $1.1 }
        for (occurrence, first, last) in these {
            // Room for its name.
            let end = max(last, first + (to - from) / 12)
            let lane = ends.firstIndex { $0 < first } ?? ends.count
            if lane == ends.count { ends.append(end) } else { ends[lane] = end }
            let y = top + lane * Self.row
            parts.append(bar(first, last, y: y, "#f5b7b1", "\(occurrence.fault) \(occurrence.note ?? "")"))
            parts.append(Self.label(occurrence.fault.kind.rawValue, x: x(first) + 2, y: y + 9))
        }
        return top + max(1, ends.count) * Self.row
    }

    private func drawRuns(of name: String, at top: Int, _ parts: inout [String]) -> Int {
        var y = top
        for (index, job) in JobMix.jobs.enumerated() {
            let runs = chronicle.runs(of: job.name).filter { $0.node == name && $0.first < to && $0.last > from }
            parts.append(Self.label(job.name, x: 20, y: y + 9, "fill=\"#777\""))
            for run in runs {
                for burst in run.bursts where burst.first < to && burst.last > from {
                    let colour = Self.colours[index % Self.colours.count]
                    parts.append(bar(burst.first, burst.last, y: y, colour, "\(run)"))
                }
            }
            y += Self.row
        }
        return y
    }
}
