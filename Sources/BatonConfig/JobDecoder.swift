// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import BatonUsers
import Glibc

/// Makes a job's definition from its table, or checks `[defaults]`, which may leave the command out.
struct JobDecoder {
    let name: String
    let store: StoreSettings
    let launcher: LauncherKind
    /// The daemon's user.
    let user: uid_t
    let log: ProblemLog
    var zones = TimeZoneFolder.system

    private static let planned = ["plugin"]

    /// The definition, nil when nothing says what to run; problems are in `log`.
    func decode(_ root: ConfigNode, needsCommand: Bool = true) -> JobDefinition? {
        var reader = TableReader(root, log)
        let command = decodeCommand(&reader, of: root, needsCommand: needsCommand)
        var job = JobDefinition(name: name, command: command ?? .shell(""))
        decodeProcess(&reader, &job)
        decodeEnvironment(&reader, &job)
        decodeSchedule(&reader, &job, of: needsCommand ? root : nil)
        decodeNotify(&reader, &job, of: root, isJob: needsCommand)
        decodeTables(&reader, &job)
        reader.finish(planned: Self.planned)
        return command == nil ? nil : job
    }

    /// - Parameter owner: who has the command, for messages.
    func decodeCommand(
        _ reader: inout TableReader, of root: ConfigNode, needsCommand: Bool, owner: String = "a job"
    ) -> JobDefinition.Command? {
        let command = reader.value("command")
        let shell = reader.value("shell")
        switch (command, shell) {
        case (let command?, let shell?) where command.source === shell.source:
            reader.reject(shell, "is given, and command too; \(owner) has exactly one of them")
            return nil
        case (let command?, let shell):
            // Of two layers the job's own file counts.
            if let shell, shell.source === root.source { return line(shell, reader) }
            return program(command, reader)
        case (nil, let shell?): return line(shell, reader)
        case (nil, nil): break
        }
        // Not asked for: `finish` says that it is not supported yet.
        if needsCommand, reader.peek("plugin") == nil {
            reader.reject("nothing to run: one of command = [\"/path/to/program\", …] or shell = \"…\" is needed")
        }
        return nil
    }

    private func program(_ node: ConfigNode, _ reader: TableReader) -> JobDefinition.Command? {
        guard case .array(let elements) = node.value else {
            var message = "is \(node.found); wanted an array of strings"
            if case .string = node.value { message += " (a line for the shell is shell = \"…\")" }
            reader.reject(node, message)
            return nil
        }
        var words: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let word) = element.value else {
                reader.reject(node, "element \(index + 1) is \(element.found); wanted a string")
                return nil
            }
            words.append(word)
        }
        guard let first = words.first else {
            reader.reject(node, "is empty; wanted a program and its arguments")
            return nil
        }
        if first.isEmpty {
            reader.reject(node, "element 1, the program, is empty")
            return nil
        }
        if first.contains("/"), !first.hasPrefix("/") {
            reader.reject(node, "'\(first)' is a relative path; wanted an absolute one, or a name to look up in PATH")
            return nil
        }
        return .program(words)
    }

    private func line(_ node: ConfigNode, _ reader: TableReader) -> JobDefinition.Command? {
        guard case .string(let text) = node.value else {
            reader.reject(node, "is \(node.found); wanted a string")
            return nil
        }
        if text.allSatisfy(\.isWhitespace) {
            reader.reject(node, "is empty")
            return nil
        }
        return .shell(text)
    }

    private func decodeProcess(_ reader: inout TableReader, _ job: inout JobDefinition) {
        job.description = reader.string("description")?.text ?? ""
        job.enabled = reader.boolean("enabled") ?? true
        if let (text, node) = account("user", &reader) {
            if (try? UserDatabase.user(text)) == nil {
                reader.reject(node, "there is no user '\(text)' on this machine")
            }
            job.user = text
        }
        if let (text, node) = account("group", &reader) {
            if (try? UserDatabase.group(text)) == nil {
                reader.reject(node, "there is no group '\(text)' on this machine")
            }
            job.group = text
        }
        if let (path, node) = reader.string("working_directory") {
            if !path.hasPrefix("/") { reader.reject(node, "'\(path)' is not an absolute path") }
            job.workingDirectory = path
        }
        if let (text, node) = reader.string("umask") {
            let digits = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }
            if digits, let mask = UInt32(text, radix: 8), mask <= 0o777 {
                job.umask = mask
            } else {
                reader.reject(node, "'\(text)' is not a umask; wanted octal digits from \"000\" to \"777\"")
            }
        }
        if let (number, node) = reader.integer("nice") {
            if !(-20...19).contains(number) { reader.reject(node, "\(number) is not a niceness; wanted -20 to 19") }
            job.nice = Int32(clamping: number)
        }
    }

    /// A user or group, by name or number; only root may choose one.
    private func account(_ key: String, _ reader: inout TableReader) -> (String, ConfigNode)? {
        guard let (text, node) = reader.account(key) else { return nil }
        if user != 0 {
            reader.reject(node, "only a daemon that runs as root can run a job as another \(key)")
            return nil
        }
        return (text, node)
    }

    private func decodeEnvironment(_ reader: inout TableReader, _ job: inout JobDefinition) {
        for (name, value) in reader.stringTable("environment") ?? [:] {
            if let reason = EnvironmentName.problem(of: name) { reader.reject(value.node, reason) }
            job.environment[name] = value.text
        }
        guard let (path, node) = reader.string("environment_file") else { return }
        job.environmentFile = path
        if !path.hasPrefix("/"), !path.hasPrefix("-/") {
            // Not shown: somebody may have written a variable here instead of the path of its file.
            return reader.reject(node, "is not an absolute path")
        }
        do {
            _ = try EnvironmentFile.read(path)
        } catch {
            reader.reject(node, error.description)
        }
    }
}
