// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore

/// `batonctl stop JOB`
struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a job, wherever it runs, and hold it down on every node until `batonctl run`.",
        discussion: """
            Of a job with a schedule, the run that goes on is stopped; its next ticks are run as ever. `batonctl pause` keeps \
            them from it; one that is paused already is held down until `batonctl resume`, or for as long as the pause.
            """)

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.post(["jobs", job, "stop"])
            Output.line(json.isSet ? JSONText.pretty(body) : Self.text(try StopReport(answer: body)))
        }
    }

    private static func text(_ report: StopReport) -> String {
        if report.isHeldDown {
            return PrintableText.escaped("\(report.job) is held down on every node; \"batonctl run\" lets it run again")
        }
        if report.isGivenUp == true {
            return PrintableText.escaped(
                "\(report.job) does not run now, and its last run is not tried again; its next ticks are run as ever")
        }
        guard let node = report.node else {
            return PrintableText.escaped(
                "\(report.job) does not run now; \"batonctl pause\" keeps it from being started")
        }
        return PrintableText.escaped(
            "the run of \(report.job) on \(node) is being stopped; its next ticks are run as ever")
    }
}
