// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BatonConfig
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
        subcommands: [
            Status.self, Check.self, Next.self, History.self, Logs.self, Stop.self, Run.self, Pause.self, Resume.self,
            Nodes.self, Explain.self, Events.self, Reload.self, Reexec.self,
        ])

    static func main() async {
        let arguments = ArgumentOrder.sharedOptionsLast(Array(CommandLine.arguments.dropFirst()))
        if let word = arguments.first, let message = complaint(about: word) {
            Output.error("batonctl: " + PrintableText.escaped(message))
            exit(withError: ExitCode.validationFailure)
        }
        await main(arguments)
    }

    /// What to say of a word that should be a command and is none.
    private static func complaint(about word: String) -> String? {
        let commands = configuration.subcommands.flatMap { command in
            [String(describing: command).lowercased()] + command.configuration.aliases
        }
        if word.hasPrefix("-") || word == "help" || commands.contains(word) { return nil }
        if let near = Spelling.nearest(to: word, among: Set(commands)) {
            return "there is no command '\(word)'; did you mean '\(near)'?"
        }
        return "there is no command '\(word)'; \"batonctl --help\" lists them"
    }
}
