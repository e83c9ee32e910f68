// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The jobs of the fleet: workloads of many kinds.
struct JobMix: Sendable {
    struct Job: Sendable {
        var name: String
        var options: [String]
        /// Further lines of its file.
        var rest = ""
        /// The seat that it would like best, so that not all run on one machine.
        var seat: Int?
        /// Whether its runs go on until they are ended: then every gap is a takeover.
        var lasts = true
    }

    /// The longest lock timeout.
    static let longest = Duration.seconds(4)

    /// Most of them heed no TERM: they show how late the KILL comes.
    static let jobs = [
        Job(name: "steady-1", options: ["--period", "10"], seat: 0),
        Job(name: "steady-2", options: ["--period", "20", "--ignore-term"], rest: "lock.timeout = \"4s\""),
        Job(name: "deaf", options: ["--period", "20", "--ignore-term"], seat: 1),
        Job(name: "daemon", options: ["--period", "20", "--daemonise", "--ignore-term"], seat: 2),
        Job(name: "forking", options: ["--period", "25", "--fork", "100", "--ignore-term"], seat: 1),
        Job(name: "flooding", options: ["--period", "25", "--flood", "20"], rest: "output.to = \"journal\""),
        Job(name: "hungry", options: ["--period", "25", "--allocate", "40", "--ignore-term"], seat: 0),
        Job(name: "quick", options: ["--period", "20", "--exit-after", "1500"], lasts: false),
        Job(name: "failing", options: ["--period", "20", "--exit-after", "200", "--exit-code", "1"], lasts: false),
        Job(name: "instant", options: ["--exit-after", "0", "--daemonise"], lasts: false),
    ]

    static func settings(url: String, launcher: String, seat: Int) -> String {
        """
        [node]
        launcher = "\(launcher)"
        tags = { seat = "\(seat)" }
        [store]
        url = "\(url)"
        max_lock_timeout = "\(longest.milliseconds)ms"
        connect_timeout = "1s"
        request_timeout = "500ms"
        [defaults.lock]
        timeout = "3s"
        [defaults.stop]
        timeout = "1s"
        [defaults.restart]
        delay = "200ms"
        max_delay = "1s"
        [defaults.output]
        to = "none"

        """
    }

    static func file(_ job: Job, history: String, note: Int = 0) -> String {
        let command = (["/usr/bin/test-workload", history] + job.options).map { "\"\($0)\"" }.joined(separator: ", ")
        // The note makes a file that differs from the one before.
        let seat = job.seat.map { "placement.prefer = { seat = \"\($0)\" }\n" } ?? ""
        return "command = [\(command)]\nenvironment = { NOTE = \"\(note)\" }\n\(seat)\(job.rest)\n"
    }
}
