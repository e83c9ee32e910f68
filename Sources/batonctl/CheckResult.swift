// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import BatonCore
import Foundation

/// What `check` found in the files it was given; what it prints as JSON.
struct CheckResult: Encodable {
    struct Ignored: Encodable {
        var path: String
        var reason: String
    }

    private(set) var errors: [FileProblem] = []
    private(set) var warnings: [FileProblem] = []
    private(set) var ignored: [Ignored] = []
    /// The names of the jobs that batond would run, and of those that it would show as invalid.
    private(set) var validJobs: [String] = []
    private(set) var invalidJobs: [String] = []

    enum CodingKeys: String, CodingKey {
        case errors, warnings, ignored
        case validJobs = "valid_jobs"
        case invalidJobs = "invalid_jobs"
    }

    /// For people, the errors last: that is where the eye is.
    var complaints: [String] {
        ignored.map { "ignored: " + PrintableText.escaped("\($0.path): \($0.reason)") }
            + warnings.map { "warning: " + $0.text } + errors.map { "error: " + $0.text }
    }

    /// The last line.
    var summary: String {
        let fine = validJobs.count == 1 ? "1 job is fine" : "\(validJobs.count) jobs are fine"
        guard !invalidJobs.isEmpty else { return errors.isEmpty ? fine : fine + ", but there are errors" }
        let names = PrintableText.escaped(invalidJobs.joined(separator: ", "))
        return "\(fine), \(invalidJobs.count) \(invalidJobs.count == 1 ? "is" : "are") not: \(names)"
    }

    /// Checks what is at `path`, and what belongs to it.
    mutating func add(_ path: String) {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        let loader = ConfigLoader(credentials: .ofAnotherProcess)
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        if !exists {
            errors.append(FileProblem(ConfigProblem(file: path, message: "there is no such file or folder")))
        } else if isFolder.boolValue {
            let own = path + "/batond.toml"
            if FileManager.default.fileExists(atPath: own) {
                addNode(own, loader)
            } else {
                addFolder(path, loader)
            }
        } else if Self.isNodeFile(path) {
            addNode(path, loader)
        } else {
            addJob(path, loader)
        }
    }

    private mutating func addNode(_ path: String, _ loader: ConfigLoader) {
        let node = loader.loadNode(path: path)
        add(node)
        if node.errors.isEmpty { add(loader.loadJobs(node)) }
    }

    private mutating func addFolder(_ path: String, _ loader: ConfigLoader) {
        var node = JobFile.surroundings(of: path, loader)
        add(node)
        node.settings.jobDirectories = [path]
        add(loader.loadJobs(node))
    }

    private mutating func addJob(_ path: String, _ loader: ConfigLoader) {
        do {
            let file = try JobFile(path, loader)
            add(file.node)
            warnings += file.warnings.map { FileProblem($0) }
            add(file.job)
        } catch {
            errors.append(FileProblem(error))
        }
    }

    private mutating func add(_ node: LoadedNode) {
        errors += node.errors.map { FileProblem($0) }
        warnings += node.warnings.map { FileProblem($0) }
    }

    private mutating func add(_ jobs: LoadedJobs) {
        warnings += jobs.warnings.map { FileProblem($0) }
        errors += jobs.unreadable.map { FileProblem($0) }
        ignored += jobs.ignored.map { Ignored(path: $0.path, reason: $0.reason) }
        for job in jobs.jobs { add(job) }
    }

    private mutating func add(_ job: LoadedJob) {
        switch job {
        case .valid(let definition): validJobs.append(definition.name)
        case .invalid(let name, let problems):
            invalidJobs.append(name)
            errors += problems.map { FileProblem($0) }
        }
    }

    /// A node's file may have any name; what only it has are these tables.
    private static func isNodeFile(_ path: String) -> Bool {
        if (path as NSString).lastPathComponent == "batond.toml" { return true }
        // The loader says why, if it can't be read.
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
        return text.split(whereSeparator: \.isNewline).contains { line in
            line.firstMatch(of: /^\s*\[\s*(node|log|store|jobs|defaults)\s*[\].]/) != nil
        }
    }
}
