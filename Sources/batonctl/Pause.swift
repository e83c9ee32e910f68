// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore

/// `batonctl pause JOB`
struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have no node start a job, until \"batonctl resume\" or for some time. What runs goes on.")

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("For how long, as 90s or 1h30m (default: until it is resumed).", valueName: "duration"))
    var duration: String?

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func validate() throws {
        if let duration { _ = try DurationArgument.parse(duration, of: "--for") }
    }

    func run() async throws {
        // It was parsed before.
        let limit = duration.flatMap { try? DurationArgument.parse($0, of: "--for") }
        try await reportingFailure { () async throws(Failure) in
            let query = limit.map { "milliseconds=\(max(1, $0.milliseconds))" }
            let body = try await socket.client.post(["jobs", job, "pause"], query: query)
            let end = duration.map { "for \($0)" } ?? "until \"batonctl resume \(job)\""
            Output.line(
                json.isSet ? JSONText.pretty(body) : PrintableText.escaped("\(job) is paused on every node, \(end)"))
        }
    }
}

/// `batonctl resume JOB`
struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a job be started again that was paused.")

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.post(["jobs", job, "resume"])
            Output.line(json.isSet ? JSONText.pretty(body) : PrintableText.escaped("\(job) is not paused"))
        }
    }
}
