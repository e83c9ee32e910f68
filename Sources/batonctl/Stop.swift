// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore

/// `batonctl stop JOB`
struct Stop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop a job, wherever it runs, and hold it down on every node until `batonctl run`.")

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.post(["jobs", job, "stop"])
            Output.line(
                json.isSet
                    ? JSONText.pretty(body)
                    : "\(PrintableText.escaped(job)) is held down on every node; \"batonctl run\" lets it run again")
        }
    }
}
