// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl history JOB`
struct History: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the last runs of a scheduled job, on whichever nodes they were, and the ticks that had none.",
        discussion: """
            The newest comes first. The store keeps 100 lines a job, so that every node tells the same. With --output, what \
            each run printed last is below it; only those who may act are shown that.
            """)

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @Option(
        name: [.customShort("n"), .long], help: ArgumentHelp("How many lines, up to 100.", valueName: "number"))
    var lines = 10

    @Flag(help: "Show the end of each run's output.")
    var output = false

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func validate() throws {
        if !(1...100).contains(lines) { throw ValidationError("-n wants a number from 1 to 100, not \(lines).") }
    }

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.get(
                ["jobs", job, "history"], query: "lines=\(lines)&output=\(output)")
            Output.line(json.isSet ? JSONText.pretty(body) : HistoryTable.text(try HistoryReport(answer: body)))
        }
    }
}
