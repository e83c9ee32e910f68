// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
import BatonCore
import Foundation
import NIOHTTP1

/// `batonctl check [PATH…]`, `batonctl check --diff`
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check configuration files. No daemon is needed, and nothing is changed.",
        discussion: """
            Everything that is wrong is told at once, with file, line and key. A job file is checked with the defaults and \
            limits of the batond.toml beside its folder. Run it as the user that batond runs as: who may read a file, \
            and who else can write it, is checked too.

            With --diff, the running batond is asked: it reads its own files, and tells what a reload would do.
            """)

    @Argument(
        help: ArgumentHelp(
            "A batond.toml (with the jobs that belong to it), a job file, or a folder of job files.",
            discussion: "Default: \(Self.defaultPath)", valueName: "path"),
        completion: .file())
    var paths: [String] = []

    @Flag(help: "Say what \"batonctl reload\" would do.")
    var diff = false

    @OptionGroup var socket: SocketOption
    @OptionGroup var json: JSONOption

    private static let defaultPath = "/etc/baton/batond.toml"

    func validate() throws {
        if diff, !paths.isEmpty {
            throw ValidationError("--diff is about the files that batond reads: it takes no path.")
        }
    }

    func run() async throws {
        if diff {
            return try await reportingFailure { () async throws(Failure) in
                let answer = try ReloadAnswer(try await socket.client.exchange(.GET, ["reload"]))
                try answer.show(json: json.isSet, tense: .conditional)
            }
        }
        var result = CheckResult()
        for path in paths.isEmpty ? [Self.defaultPath] : paths {
            result.add(path)
        }
        if json.isSet {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            Output.line(JSONText.pretty(Array(try encoder.encode(result))))
        } else {
            for line in result.complaints { Output.error(line) }
            Output.line(result.summary)
        }
        guard result.errors.isEmpty else { throw ExitCode(Failure.Code.configuration.rawValue) }
    }
}
