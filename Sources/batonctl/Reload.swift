// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore
import Foundation
import NIOHTTP1

/// `batonctl reload`
struct Reload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Have batond read its files again, and say what changed.",
        discussion: """
            All or nothing: if any file has an error, nothing changes, the errors are told as "batonctl check" tells \
            them, and the exit code is 78. It returns when the new files count; what has to stop may go on stopping.
            """)

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            try ReloadAnswer(try await socket.client.exchange(.POST, ["reload"])).show(json: json.isSet, tense: .past)
        }
    }
}

/// What batond answers about its files: the changes, or what is wrong.
struct ReloadAnswer {
    private let body: [UInt8]
    private let content: Content

    private enum Content {
        case report(ReloadReport)
        case refusal(ReloadRefusal)
    }

    /// - Throws: a failure for every answer that says nothing of the files.
    init(_ answer: (status: UInt, body: [UInt8])) throws(Failure) {
        body = answer.body
        do {
            switch answer.status {
            case 200: content = .report(try JSONDecoder().decode(ReloadReport.self, from: Data(answer.body)))
            case 422: content = .refusal(try JSONDecoder().decode(ReloadRefusal.self, from: Data(answer.body)))
            default: throw ControlClient.failure(status: answer.status, body: answer.body)
            }
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure(
                code: .failed, message: "batond's answer can't be read (is it of another version?): \(error)")
        }
    }

    /// - Throws: the failure that ends the program, after everything was said.
    func show(json: Bool, tense: ReloadText.Tense) throws(Failure) {
        if json { Output.line(JSONText.pretty(body)) }
        switch content {
        case .report(let report):
            if json { return }
            for warning in report.warnings { Output.error("warning: " + PrintableText.escaped(warning)) }
            Output.line(ReloadText.text(report, tense))
        case .refusal(let refusal):
            if !json {
                for problem in refusal.warnings { Output.error("warning: " + problem.text) }
                for problem in refusal.errors { Output.error("error: " + problem.text) }
            }
            throw Failure(code: .configuration, message: refusal.error)
        }
    }
}
