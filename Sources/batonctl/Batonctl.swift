// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonCore

/// The operator's program: asks the batond of this machine, over its control socket.
@main
struct Batonctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batonctl",
        abstract: "See and steer the jobs that batond runs.",
        discussion: """
            Exit codes: 0 fine, 1 failed, 64 wrong usage, 69 batond or its store can't be reached, 77 not permitted, \
            78 configuration invalid.

            --socket PATH and --json may stand before or after the command.
            """,
        version: "batonctl \(BatonVersion.current)",
        subcommands: [Status.self, Check.self, Logs.self, Stop.self, Run.self])

    static func main() async {
        await main(ArgumentOrder.sharedOptionsLast(Array(CommandLine.arguments.dropFirst())))
    }
}
