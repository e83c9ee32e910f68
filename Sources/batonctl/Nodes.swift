// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl nodes`
struct Nodes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the live nodes of the fleet, and where their job files differ.")

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.get(["nodes"])
            Output.line(
                json.isSet ? JSONText.pretty(body) : NodesTable.text(try NodesReport(answer: body)))
        }
    }
}
