// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl events [JOB]`
struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what happened on this node lately: elections, runs, missed ticks, what operators did.",
        discussion: """
            The newest comes last. batond remembers 1000 events, in memory: the journal has the older ones. With --json each \
            line is an object.
            """)

    @Argument(help: "Only of this job.", completion: JobNames.completion)
    var job: String?

    @Flag(name: .shortAndLong, help: "Go on with what comes, until it is interrupted.")
    var follow = false

    @Option(
        name: [.customShort("n"), .long], help: ArgumentHelp("How many from the end, up to 1000.", valueName: "number"))
    var lines = 20

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func validate() throws {
        if !(0...1000).contains(lines) { throw ValidationError("-n wants a number from 0 to 1000, not \(lines).") }
    }

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let query = "lines=\(lines)" + (job.map { "&job=" + ControlClient.percentEncoded($0) } ?? "")
            let printer = EventPrinter(isJSON: json.isSet)
            if follow {
                let watch = Output.endingWhenClosed()
                defer { watch.cancel() }
                try await socket.client.follow(["events", "follow"], query: query) { line throws(Failure) in
                    try printer.print(line)
                }
            } else {
                let body = try await socket.client.get(["events"], query: query)
                for line in body.split(separator: UInt8(ascii: "\n")) { try printer.print(Data(line)) }
            }
        }
    }
}
