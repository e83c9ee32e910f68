// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl explain JOB`
struct Explain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say why a job does not run here, who runs it, and what can be done.")

    @Argument(help: "The job.", completion: JobNames.completion)
    var job: String

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.get(["explain", job])
            Output.line(json.isSet ? JSONText.pretty(body) : try Explanation(answer: body).text)
        }
    }
}

extension Decodable {
    /// The daemon's answer.
    init(answer body: [UInt8]) throws(Failure) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(body))
        } catch {
            throw Failure(
                code: .failed, message: "batond's answer can't be read (is it of another version?): \(error)")
        }
    }
}
