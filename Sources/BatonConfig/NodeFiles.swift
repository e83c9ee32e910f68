// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore

/// The files of one node: read when it starts, and again at every reload.
package struct NodeFiles: Sendable {
    /// The path of `batond.toml`.
    package let path: String
    private let overrides: NodeOverrides
    private let loader = ConfigLoader()

    package init(path: String, overrides: NodeOverrides) {
        self.path = path
        self.overrides = overrides
    }

    /// Everything, read and checked.
    ///
    /// - Parameter running: the settings in use, by whose store and launcher the jobs are judged; nil: those of the file.
    package func load(for running: NodeSettings? = nil) -> LoadedFiles {
        let node = loader.loadNode(path: path, overrides: overrides)
        guard node.errors.isEmpty else { return LoadedFiles(node: node, jobs: LoadedJobs()) }
        var limits = node
        limits.settings.store = running?.store ?? node.settings.store
        limits.settings.launcher = running?.launcher ?? node.settings.launcher
        return LoadedFiles(node: node, jobs: loader.loadJobs(limits))
    }
}

/// What came of reading all files of a node.
package struct LoadedFiles: Sendable {
    package var node: LoadedNode
    /// None if the node's own file must not be used.
    package var jobs: LoadedJobs

    /// What keeps a running daemon from using any of it: beside what is wrong in a file, a folder whose jobs would all
    /// seem to be gone.
    package var errors: [ConfigProblem] { node.errors + jobs.unreadable + jobs.errors }

    package var warnings: [ConfigProblem] { node.warnings + jobs.warnings }
}

extension FileProblem {
    /// For the control socket and for people.
    package init(_ problem: ConfigProblem) {
        self.init(
            file: problem.file, line: problem.line, column: problem.column, key: problem.key, message: problem.message)
    }
}
