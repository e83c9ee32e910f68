// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
import BatonCore
import Foundation

/// `batonctl next FILE`
struct Next: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell when a job is due next, by its file.",
        discussion: """
            Times are on the clocks of the job's time zone and in UTC; with jitter, it is said when the run of each tick \
            starts. No daemon is needed, and the file need not be where a daemon reads it.
            """)

    @Argument(help: ArgumentHelp("The job's file.", valueName: "file"), completion: .file(extensions: ["toml"]))
    var path: String

    @Option(
        name: [.customShort("n"), .long], help: ArgumentHelp("How many ticks, up to 1000.", valueName: "number"))
    var count = 5

    @OptionGroup var json: JSONOption

    func validate() throws {
        if !(1...1000).contains(count) { throw ValidationError("-n wants a number from 1 to 1000, not \(count).") }
    }

    func run() async throws {
        try await reportingFailure { () async throws(Failure) in
            let definition = try read()
            guard let settings = definition.schedule else {
                throw Failure(code: .failed, message: "\(definition.name) has no schedule: it is kept running")
            }
            let now = Int64(Date().timeIntervalSince1970)
            let report = NextReport(job: definition.name, settings, after: now, count: count)
            Output.line(json.isSet ? try jsonText(report) : NextTable.text(report))
        }
    }

    private func read() throws(Failure) -> JobDefinition {
        guard FileManager.default.fileExists(atPath: path) else {
            throw Failure(code: .configuration, message: "\(path): there is no such file")
        }
        let loader = ConfigLoader(credentials: .ofAnotherProcess)
        let file: JobFile
        do {
            file = try JobFile(path, loader)
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
        throw Failure(code: .configuration, message: problems.last.map { FileProblem($0).text } ?? path)
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
