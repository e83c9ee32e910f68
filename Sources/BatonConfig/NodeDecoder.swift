// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Glibc

/// Makes the settings of a node from the root table of `batond.toml`.
struct NodeDecoder {
    let path: String
    /// Permission bits of the file: a password may stand only in one that nobody else can read.
    let mode: mode_t
    let overrides: NodeOverrides
    let log: ProblemLog

    private static let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

    /// The settings, with problems in `log`, and the table of `[defaults]`.
    func decode(_ root: ConfigNode) -> (NodeSettings, defaults: ConfigNode?) {
        let fallback = StoreSettings(location: .sqlite(path: overrides.stateDirectory + "/baton.db"))
        var settings = NodeSettings(name: "", store: fallback)
        var defaults: ConfigNode?
        settings.jobDirectories = ["/usr/lib/baton/jobs.d", TrustedFile.folder(of: path) + "/jobs.d"]
        var reader = TableReader(root, log)
        reader.table("node", planned: ["tags", "launcher", "max_runs"]) { decodeNode(&$0, &settings) }
        reader.table("log") { decodeLog(&$0, &settings) }
        reader.table("store", planned: ["replicas", "history_lines"]) { decodeStore(&$0, &settings.store) }
        reader.table("jobs") { decodeJobs(&$0, &settings) }
        if let node = reader.value("defaults") {
            if case .table = node.value {
                defaults = node
            } else {
                reader.reject(node, "is \(node.found); wanted a table, [defaults]")
            }
        }
        reader.finish(planned: ["metrics", "control"])
        settings.name = overrides.name ?? (settings.name.isEmpty ? hostname() : settings.name)
        settings.logLevel = overrides.logLevel ?? settings.logLevel
        return (settings, defaults)
    }

    private func decodeNode(_ reader: inout TableReader, _ settings: inout NodeSettings) {
        guard let (name, node) = reader.string("name") else { return }
        if let reason = Names.problem(ofNode: name) { reader.reject(node, reason) }
        settings.name = name
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

    private func decodeStore(_ reader: inout TableReader, _ store: inout StoreSettings) {
        decodeAddress(&reader, &store)
        decodeSecrets(&reader, &store)
        if let (prefix, node) = reader.string("prefix") {
            if let reason = Names.problem(ofPrefix: prefix) { reader.reject(node, reason) }
            store.prefix = prefix
        }
        if let (duration, node) = reader.duration("max_lock_timeout") {
            if duration < LeaseArithmetic.shortest {
                reader.reject(node, "\(DurationText.describe(duration)) is too short: it must be at least 1s")
            }
            if duration > .seconds(86400) {
                reader.reject(node, "\(DurationText.describe(duration)) is too long: it must be at most 1d")
            }
            store.maxLockTimeout = duration
        }
        if let (duration, node) = reader.duration("connect_timeout") {
            if duration <= .zero { reader.reject(node, "must be longer than 0s") }
            store.connectTimeout = duration
        }
        if let (duration, node) = reader.duration("request_timeout") {
            if duration <= .zero { reader.reject(node, "must be longer than 0s") }
            store.requestTimeout = duration
        }
    }

    private func decodeAddress(_ reader: inout TableReader, _ store: inout StoreSettings) {
        guard let (text, node) = reader.string("url") else { return }
        do {
            let url = try StoreURL(text)
            store.location = url.location
            store.database = url.database
            store.username = url.username
            store.password = url.password
            if url.password != nil, mode & 0o077 != 0 {
                reader.reject(
                    node,
                    """
                    has a password in it, and others can read this file (mode \(String(mode & 0o777, radix: 8))): \
                    use password_file, or chmod 600
                    """)
            }
        } catch {
            reader.reject(node, error.reason)
        }
    }

    private func decodeSecrets(_ reader: inout TableReader, _ store: inout StoreSettings) {
        if let (name, node) = reader.string("username") {
            if name.isEmpty { reader.reject(node, "is empty") }
            if store.username != nil { reader.reject(node, "is given here and in the url; one of them is enough") }
            store.username = name
        }
        if let (path, node) = reader.string("password_file") {
            if store.password != nil {
                reader.reject(node, "is given, and a password in the url; one of them is enough")
            }
            do {
                store.password = try PasswordFile.read(path)
            } catch {
                reader.reject(node, error.description)
            }
        }
        if let (path, node) = reader.string("ca_file") {
            if !path.hasPrefix("/") {
                reader.reject(node, "'\(path)' is not an absolute path")
            } else if access(path, R_OK) != 0 {
                reader.reject(node, "\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
            store.caFile = path
        }
    }

    private func hostname() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress, gethostname(base, 255) == 0 else { return "localhost" }
            buffer[255] = 0
            return String(cString: base)
        }
    }
}
