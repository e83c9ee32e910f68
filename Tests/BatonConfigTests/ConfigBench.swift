// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Foundation
import Glibc
import Testing

@testable import BatonConfig

/// A folder of its own with a `batond.toml` and a `jobs.d`.
final class ConfigBench {
    let folder: String
    var node: String { folder + "/batond.toml" }
    var jobs: String { folder + "/jobs.d" }

    init() throws {
        folder = "/tmp/baton-config-\(UInt64.random(in: .min ... .max))"
        try makeFolder(folder)
        try makeFolder(jobs)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func makeFolder(_ path: String) throws {
        try #require(mkdir(path, 0o755) == 0 && chmod(path, 0o755) == 0)
    }

    @discardableResult
    func write(_ name: String, _ bytes: some Sequence<UInt8>, mode: mode_t = 0o644) -> String {
        let path = name.hasPrefix("/") ? name : "\(folder)/\(name)"
        unlink(path)
        _ = FileManager.default.createFile(atPath: path, contents: Data(bytes))
        chmod(path, mode)
        return path
    }

    @discardableResult
    func write(_ name: String, _ text: String, mode: mode_t = 0o644) -> String {
        write(name, text.utf8, mode: mode)
    }

    private func loader(user: uid_t? = nil) -> ConfigLoader {
        ConfigLoader(user: user)
    }

    func loadNode(_ text: String, mode: mode_t = 0o644, overrides: NodeOverrides = NodeOverrides()) -> LoadedNode {
        write(node, text, mode: mode)
        return loader().loadNode(path: node, overrides: overrides)
    }

    /// Loads with the bench's own folders only, and `lines` before them.
    func loadJobs(_ lines: String = "", directories: [String]? = nil, user: uid_t? = nil) -> LoadedJobs {
        let folders = (directories ?? [jobs]).map { "\"\($0)\"" }.joined(separator: ",")
        write(node, "jobs.directories = [\(folders)]\n\(lines)")
        let loaded = loader().loadNode(path: node)
        #expect(loaded.errors.isEmpty)
        return loader(user: user).loadJobs(loaded)
    }

    /// The problems of one job file, without the file's name.
    func problems(ofJob text: String, defaults: String = "", user: uid_t? = nil) -> [String] {
        write("jobs.d/report.toml", text)
        let problems = loadJobs(defaults, user: user).errors
        return problems.map { short($0.description).replacingOccurrences(of: "jobs.d/report.toml", with: "") }
    }

    func problems(ofNode text: String, mode: mode_t = 0o644) -> [String] {
        loadNode(text, mode: mode).errors.map { short($0.description) }
    }

    func short(_ text: String) -> String { text.replacingOccurrences(of: folder + "/", with: "") }

    /// The one job of the folder, which must be valid.
    func job(_ text: String, defaults: String = "") throws -> JobDefinition {
        write("jobs.d/report.toml", text)
        let loaded = loadJobs(defaults)
        guard case .valid(let job) = try #require(loaded.jobs.first) else {
            Issue.record("invalid: \(loaded.errors)")
            throw CancellationError()
        }
        return job
    }
}
