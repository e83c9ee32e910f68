// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl logs JOB`
struct Logs: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the last output of a job on this node.",
        discussion: """
            Of the run that goes on here, else of the last one that ran here. The bytes are printed as they are, unless \
            stdout is a terminal: then control characters are shown as \\x1b and the like.

            --follow goes on until it is interrupted: with each run that starts on this node. What there is to say, as that \
            a run has ended or that output was skipped, is on stderr. With --json each line is an object.
            """)

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @Flag(name: .shortAndLong, help: "Go on with what comes; begin with the last 10 lines, or as many as -n says.")
    var follow = false

    @Option(
        name: [.customShort("n"), .long], help: ArgumentHelp("Only so many lines from the end.", valueName: "number"))
    var lines: Int?

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    private struct Answer: Encodable {
        var job: String
        var lines: [String]
    }

    func validate() throws {
        if let lines, lines < 0 { throw ValidationError("-n wants a number of lines, not \(lines).") }
    }

    func run() async throws {
        if follow { return try await reportingFailure { () async throws(Failure) in try await followOutput() } }
        try await reportingFailure { () async throws(Failure) in
            let (all, note) = try await socket.client.getNoted(["jobs", job, "logs"])
            if let note { Output.error("batonctl: " + PrintableText.escaped(note)) }
            let bytes = lines.map { all.lastLines($0) } ?? all
            if json.isSet {
                Output.line(try jsonText(bytes))
            } else if Output.isTerminal {
                Output.bytes(Array(PrintableText.escaped(bytes, keeping: ["\n", "\t"]).utf8))
            } else {
                Output.bytes(bytes)
            }
        }
    }

    private func followOutput() async throws(Failure) {
        let watch = Output.endingWhenClosed()
        defer { watch.cancel() }
        var printer = LogPrinter(job: job, isJSON: json.isSet)
        try await socket.client.follow(["jobs", job, "logs", "follow"], query: "lines=\(lines ?? 10)") {
            line throws(Failure) in
            try printer.print(line)
        }
    }

    private func jsonText(_ bytes: [UInt8]) throws(Failure) -> String {
        var lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return JSONText.pretty(Array(try encoder.encode(Answer(job: job, lines: lines.map(String.init)))))
        } catch {
            throw Failure(code: .failed, message: "the output can't be put into JSON: \(error)")
        }
    }
}
