// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
import BatonCore
import Foundation

/// `batonctl next JOB`, `batonctl next FILE`
struct Next: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell when a job is due next.",
        discussion: """
            Times are on the clocks of the job's time zone and in UTC; with jitter, it is said when the run of each tick \
            starts. What has a slash in it or ends in .toml is a file: then no daemon is needed, and the file need not be \
            where a daemon reads it.
            """)

    @Argument(
        help: ArgumentHelp("The job, or a job's file.", valueName: "job-or-file"), completion: JobNames.completion)
    var subject: String

    @Option(
        name: [.customShort("n"), .long], help: ArgumentHelp("How many ticks, up to 1000.", valueName: "number"))
    var count = 5

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    private var isFile: Bool { subject.contains("/") || subject.hasSuffix(".toml") }

    func validate() throws {
        if subject.isEmpty { throw ValidationError("next wants a job, or a job's file.") }
        if !(1...1000).contains(count) { throw ValidationError("-n wants a number from 1 to 1000, not \(count).") }
    }

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            if isFile {
                let report = try report(of: read())
                return Output.line(json.isSet ? try jsonText(report) : NextTable.text(report))
            }
            let body = try await socket.client.get(["jobs", subject, "next"], query: "ticks=\(count)")
            Output.line(json.isSet ? JSONText.pretty(body) : NextTable.text(try NextReport(answer: body)))
        }
    }

    private func report(of definition: JobDefinition) throws(Failure) -> NextReport {
        guard let settings = definition.schedule else {
            throw Failure(code: .failed, message: "\(definition.name) has no schedule: it is kept running")
        }
        let now = Int64(Date().timeIntervalSince1970)
        return NextReport(job: definition.name, settings, after: now, count: count)
    }

    private func read() throws(Failure) -> JobDefinition {
        guard FileManager.default.fileExists(atPath: subject) else {
            throw Failure(code: .configuration, message: "\(subject): there is no such file")
        }
        let loader = ConfigLoader(credentials: .ofAnotherProcess)
        let file: JobFile
        do {
            file = try JobFile(subject, loader)
        } catch {
            throw Failure(code: .configuration, message: FileProblem(error).text)
        }
        var problems = file.node.errors
        switch file.job {
        case .valid(let definition) where problems.isEmpty: return definition
        case .valid: break
        case .invalid(_, let own): problems += own
        }
        // The last one is said by the failure.
        for problem in problems.dropLast() { Output.error("batonctl: " + FileProblem(problem).text) }
        throw Failure(code: .configuration, message: problems.last.map { FileProblem($0).text } ?? subject)
    }

    private func jsonText(_ report: NextReport) throws(Failure) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return JSONText.pretty(Array(try encoder.encode(report)))
        } catch {
            throw Failure(code: .failed, message: "\(error)")
        }
    }
}
