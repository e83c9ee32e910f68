// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `batonctl check [PATH…]`
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Check configuration files; no daemon is needed.")

    @Argument(help: "batond.toml, a job file, or a folder of job files (default: /etc/baton/batond.toml).")
    var paths: [String] = []

    func run() async throws {}
}
