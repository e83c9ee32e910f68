// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
import BatonCore
import Foundation

/// Which daemon to ask.
struct SocketOption: ParsableArguments {
    @Option(
        name: .customLong("socket"),
        help: ArgumentHelp(
            "The control socket (default: $BATON_SOCKET, else \(Self.defaultPath)).", valueName: "path"),
        completion: .file())
    var given: String?

    static let defaultPath = "/run/baton/control.sock"

    var path: String { Self.path(given) }

    /// The option, else the environment, else where the system's batond listens.
    static func path(_ given: String?) -> String {
        if let given { return given }
        if let variable = ProcessInfo.processInfo.environment["BATON_SOCKET"], !variable.isEmpty { return variable }
        return defaultPath
    }

    var client: ControlClient { ControlClient(socketPath: path) }

    func validate() throws {
        if let given, given.isEmpty { throw ValidationError("--socket needs a path.") }
    }
}

/// How to answer.
struct JSONOption: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Answer in JSON, for scripts.")
    var isSet = false
}

/// How long something is to take, as job files write it.
enum DurationArgument {
    /// - Throws: `ValidationError` for what is none, or nothing.
    static func parse(_ text: String, of option: String) throws -> Duration {
        let duration: Duration
        do throws(DurationText.Failure) {
            duration = try DurationText.parse(text)
        } catch {
            throw ValidationError("\(option): \(PrintableText.escaped(error.reason)).")
        }
        if duration <= .zero { throw ValidationError("\(option): it has to be longer than nothing.") }
        return duration
    }
}
