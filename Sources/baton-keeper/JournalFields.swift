// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem

/// What stands in the journal beside each line of one of a workload's streams.
struct JournalFields {
    /// All fields but the line itself, up to its `=`.
    let head: Bytes
    private let run: JournalEntry
    private let stream: String

    /// - Parameter pid: the workload's main process.
    init(_ spec: LaunchSpec, stream: String, pid: Int32?) {
        self.stream = stream
        var run = JournalEntry()
        run.put("SYSLOG_IDENTIFIER", spec.job)
        // A daemon's, as for the output of any service: for those who pass the journal on to a syslog.
        run.put("SYSLOG_FACILITY", "3")
        if let pid { run.put("SYSLOG_PID", "\(pid)") }
        run.put("BATON_JOB", spec.job)
        run.put("BATON_RUN_ID", spec.runID)
        run.put("BATON_FENCE", "\(spec.fence)")
        run.put("BATON_NODE", spec.node)
        for name in ["BATON_TICK", "BATON_ATTEMPT"] {
            guard let variable = spec.environment.last(where: { $0.hasPrefix(name + "=") }) else { continue }
            run.put(name, String(variable.dropFirst(name.count + 1)))
        }
        run.put("BATON_STREAM", stream)
        self.run = run
        var line = run
        line.put("PRIORITY", stream == "stderr" ? "3" : "6")
        head = line.bytes + Bytes("MESSAGE=".utf8)
    }

    /// What follows a line, with the reason for its end where that is not a line's end: systemd's words for it.
    func end(_ end: LineCutter.Break) -> Bytes {
        switch end {
        case .newline: Self.newline
        case .full: Self.full
        case .end: Self.end
        }
    }

    /// The message that stands for lines that the journal did not take.
    func note(ofLines lines: Int, bytes: Int) -> Bytes {
        var entry = run
        entry.put("PRIORITY", "4")
        entry.put("MESSAGE_ID", EventKind.outputDropped.id)
        entry.put("BATON_EVENT", EventKind.outputDropped.rawValue)
        entry.put("BATON_DROPPED_LINES", "\(lines)")
        entry.put("BATON_DROPPED_BYTES", "\(bytes)")
        let counted = lines == 1 ? "1 line" : "\(lines) lines"
        entry.put("MESSAGE", "\(counted) of \(stream) dropped (\(bytes) bytes): the journal did not take them")
        return entry.bytes
    }

    private static let newline = Bytes("\n".utf8)
    private static let full = Bytes("\nBATON_LINE_BREAK=line-max\n".utf8)
    private static let end = Bytes("\nBATON_LINE_BREAK=eof\n".utf8)
}
