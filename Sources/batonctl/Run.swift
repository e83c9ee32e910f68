// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl run JOB`
struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a scheduled job now, on one node; let a job run again that was stopped.",
        discussion: """
            Whichever node can starts it. A run that goes on is waited for: there is one at a time.

            With --wait, it ends when that run does, with its exit code: 128 and the signal's number when it was ended by \
            one, 1 when it came to nothing in another way, and when --timeout is over first. The run goes on without it.
            """,
        aliases: ["start"])

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @Flag(help: "Wait until the run has ended, and exit with its code.")
    var wait = false

    @Option(help: ArgumentHelp("With --wait: for so long at most, as 90s or 1h30m.", valueName: "duration"))
    var timeout: String?

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    private struct Answer: Decodable {
        var request: Int64?
    }

    func validate() throws {
        guard let timeout else { return }
        if !wait { throw ValidationError("--timeout is how long --wait waits: it goes with that.") }
        _ = try DurationArgument.parse(timeout, of: "--timeout")
    }

    func run() async throws {
        let code = try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.post(["jobs", job, "run"], query: wait ? "wait=true" : nil)
            let request = try Answer(answer: body).request
            guard wait, let request else {
                let text =
                    request == nil ? "may run" : "is asked to run; \"batonctl history \(job)\" will tell how it ended"
                let advice = request == nil ? "; \"batonctl status\" shows where" : ""
                Output.line(json.isSet ? JSONText.pretty(body) : PrintableText.escaped("\(job) \(text)\(advice)"))
                return Int32(0)
            }
            // It was parsed before.
            let limit = timeout.flatMap { try? DurationArgument.parse($0, of: "--timeout") }
            let (answer, end) = try await RunWatch(client: socket.client, job: job, id: request).end(within: limit)
            Output.line(json.isSet ? JSONText.pretty(answer) : RunWatch.text(end))
            return end.exitCode
        }
        if code != 0 { throw ExitCode(code) }
    }
}
