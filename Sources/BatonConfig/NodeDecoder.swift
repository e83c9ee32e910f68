// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonUsers
import Glibc

/// Makes the settings of a node from the root table of `batond.toml`.
struct NodeDecoder {
    let path: String
    /// Permission bits of the file: a password may stand only in one that nobody else can read.
    let mode: mode_t
    /// The daemon's user.
    let user: uid_t
    let overrides: NodeOverrides
    let credentials: Credentials
    let log: ProblemLog

    private static let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

    /// The settings, with problems in `log`, and the table of `[defaults]`.
    func decode(_ root: ConfigNode) -> (NodeSettings, defaults: ConfigNode?) {
        let fallback = StoreSettings(location: .sqlite(path: overrides.stateDirectory + "/baton.db"))
        var settings = NodeSettings(name: "", store: fallback)
        var defaults: ConfigNode?
        settings.jobDirectories = ["/usr/lib/baton/jobs.d", TrustedFile.folder(of: path) + "/jobs.d"]
        var reader = TableReader(root, log)
        reader.table("node") { decodeNode(&$0, &settings) }
        reader.table("log") { decodeLog(&$0, &settings) }
        reader.table("store", planned: ["history_lines"]) { decodeStore(&$0, &settings.store) }
        reader.table("jobs") { decodeJobs(&$0, &settings) }
        reader.table("control") { decodeControl(&$0, &settings) }
        reader.table("metrics") { decodeMetrics(&$0, &settings.metrics) }
        if let node = reader.value("defaults") {
            if case .table = node.value {
                defaults = node
            } else {
                reader.reject(node, "is \(node.found); wanted a table, [defaults]")
            }
        }
        reader.finish(planned: [])
        settings.name = overrides.name ?? (settings.name.isEmpty ? hostname() : settings.name)
        settings.logLevel = overrides.logLevel ?? settings.logLevel
        return (settings, defaults)
    }

    private func decodeNode(_ reader: inout TableReader, _ settings: inout NodeSettings) {
        if let (name, node) = reader.string("name") {
            if let reason = Names.problem(ofNode: name) { reader.reject(node, reason) }
            settings.name = name
        }
        settings.tags = reader.tags("tags") ?? [:]
        if let (number, node) = reader.integer("max_runs") {
            if !(0...1_000_000).contains(number) {
                reader.reject(node, "\(number) runs cannot be; wanted 0, which is no limit, to 1000000")
            }
            settings.maxRuns = Int(clamping: number)
        }
        guard let (text, node) = reader.string("launcher") else { return }
        guard let kind = LauncherKind(rawValue: text) else {
            let names = LauncherKind.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
            return reader.reject(node, "'\(text)' is no launcher; wanted one of \(names)")
        }
        // A unit of the system's runs as root: asking for one is root's.
        if kind == .systemd, user != 0 { reader.reject(node, "\"systemd\" needs a daemon that runs as root") }
        settings.launcher = kind
    }

    private func decodeLog(_ reader: inout TableReader, _ settings: inout NodeSettings) {
        guard let (level, node) = reader.string("level") else { return }
        if let reason = Self.problem(ofLogLevel: level) { reader.reject(node, reason) }
        settings.logLevel = level
    }

    static func problem(ofLogLevel level: String) -> String? {
        if logLevels.contains(level) { return nil }
        return "'\(level)' is no log level; wanted one of \(logLevels.joined(separator: ", "))"
    }

    private func decodeJobs(_ reader: inout TableReader, _ settings: inout NodeSettings) {
        guard let (directories, node) = reader.strings("directories") else { return }
        for directory in directories {
            if !directory.hasPrefix("/") { reader.reject(node, "'\(directory)' is not an absolute path") }
            if access(directory, F_OK) != 0 { reader.warn(node, "the folder \(directory) does not exist") }
        }
        settings.jobDirectories = directories
    }

    private func decodeControl(_ reader: inout TableReader, _ settings: inout NodeSettings) {
        guard let (name, node) = reader.account("operators") else { return }
        do {
            let id = try UserDatabase.group(name)
            if id == Self.unnamedGroup {
                reader.reject(
                    node, "'\(name)' cannot be: the kernel shows every group that it has no number for as \(id)")
            }
            settings.operators = ControlAccess.Group(name: name, id: id)
        } catch .unknown {
            reader.reject(node, "there is no group '\(name)' on this machine")
        } catch {
            reader.reject(node, "\(error)")
        }
    }

    /// What a group of another user namespace looks like; Debian calls it nogroup.
    private static let unnamedGroup: UInt32 = 65534

    private func hostname() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress, gethostname(base, 255) == 0 else { return "localhost" }
            buffer[255] = 0
            return String(cString: base)
        }
    }
}
