// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation

/// `batonctl status [JOB]`
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the jobs of this node, who runs each, and how the store is.")

    @Argument(help: "Only this job, in detail.", completion: JobNames.completion)
    var job: String?

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let body = try await socket.client.get(["status"] + (job.map { [$0] } ?? []))
            guard !json.isSet else {
                Output.line(JSONText.pretty(body))
                return
            }
            let report = try StatusReport(answer: body)
            let now = Date().timeIntervalSince1970
            if job != nil, let only = report.jobs.first {
                Output.line(StatusDetail.text(only, in: report, at: now))
            } else {
                Output.line(StatusTable.text(report))
            }
        }
    }
}
