// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// Whether a job's program is there: a doubt at check time, since it may be installed later, or only elsewhere.
enum ProgramLookup {
    /// systemd's default for services.
    static var defaultPath: String { WorkloadPath.standard }

    /// What is wrong with the program; nil when it can be executed by somebody.
    static func doubt(of command: JobDefinition.Command, path: String) -> String? {
        guard case .program(let words) = command, let program = words.first else { return nil }
        if program.hasPrefix("/") {
            switch state(of: program) {
            case .executable: return nil
            case .missing: return "\(program) does not exist on this machine"
            case .notExecutable: return "\(program) is not executable"
            }
        }
        for folder in path.split(separator: ":") where state(of: "\(folder)/\(program)") == .executable { return nil }
        return "there is no executable '\(program)' in PATH (\(path))"
    }

    private enum State { case missing, notExecutable, executable }

    private static func state(of path: String) -> State {
        var found = stat()
        if stat(path, &found) != 0 { return .missing }
        return found.st_mode & S_IFMT == S_IFREG && found.st_mode & 0o111 != 0 ? .executable : .notExecutable
    }
}
