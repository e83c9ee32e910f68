// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonConfig
import Foundation

/// A job's file, read with the settings of the node that it belongs to: `batond.toml` beside its folder.
struct JobFile {
    let node: LoadedNode
    let job: LoadedJob
    let warnings: [ConfigProblem]

    /// - Throws: when no job's file has such a name. What is wrong in the file is in `job`, and in `node`.
    init(_ path: String, _ loader: ConfigLoader) throws(ConfigProblem) {
        let name = (path as NSString).lastPathComponent
        guard name.hasSuffix(".toml"), !name.hasPrefix(".") else {
            throw ConfigProblem(file: path, message: "a job file's name ends in .toml")
        }
        let folder = (path as NSString).deletingLastPathComponent
        node = Self.surroundings(of: folder.isEmpty ? "." : folder, loader)
        (job, warnings, _) = loader.loadJob(String(name.dropLast(5)), path, node)
    }

    /// The node that a folder of jobs belongs to: its file is beside the folder. Without one, the defaults hold.
    static func surroundings(of folder: String, _ loader: ConfigLoader) -> LoadedNode {
        let absolute = URL(fileURLWithPath: folder).standardizedFileURL.deletingLastPathComponent()
        return loader.loadNode(path: absolute.appendingPathComponent("batond.toml").path, mayBeMissing: true)
    }
}
