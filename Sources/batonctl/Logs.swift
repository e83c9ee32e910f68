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
            """)

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    private struct Answer: Encodable {
        var job: String
        var lines: [String]
    }

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let bytes = try await socket.client.get(["jobs", job, "logs"])
            if json.isSet {
                Output.line(try jsonText(bytes))
            } else if Output.isTerminal {
                Output.bytes(Array(PrintableText.escaped(bytes, keeping: ["\n", "\t"]).utf8))
            } else {
                Output.bytes(bytes)
            }
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
