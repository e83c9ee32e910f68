// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

extension LaunchSpec {
    /// Where the program may be: one with a slash is a path; another is looked for along the PATH of the environment.
    package var candidates: [String] {
        let program = arguments.first ?? ""
        if program.contains("/") { return [program] }
        let path = environment.last { $0.hasPrefix("PATH=") }?.dropFirst(5) ?? "/usr/bin:/bin"
        return path.split(separator: ":", omittingEmptySubsequences: false).map { folder in
            folder.isEmpty ? program : "\(folder)/\(program)"
        }
    }
}
