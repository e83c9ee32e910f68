// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore

/// `batonctl run JOB`
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a job run again that was stopped; one node will start it.",
        aliases: ["start"])

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.post(["jobs", job, "run"])
            Output.line(
                json.isSet
                    ? JSONText.pretty(body)
                    : "\(PrintableText.escaped(job)) may run; \"batonctl status\" shows where")
        }
    }
}
