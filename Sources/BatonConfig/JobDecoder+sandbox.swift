// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore

/// The table `[sandbox]`.
extension JobDecoder {
    static let sandboxNeedsSystemd =
        "needs node.launcher = \"systemd\" (from the start of batond on): \"direct\" keeps nothing from a workload"

    func decodeSandbox(_ reader: inout TableReader, _ sandbox: inout Sandbox) {
        sandbox.protectSystem = mode("protect_system", among: ["full", "strict"], &reader)
        sandbox.protectHome = mode("protect_home", among: ["read-only", "tmpfs"], &reader)
        for flag in Sandbox.Flag.allCases where reader.boolean(flag.rawValue) == true { sandbox.flags.insert(flag) }
        sandbox.readWritePaths = paths("read_write_paths", &reader)
        sandbox.readOnlyPaths = paths("read_only_paths", &reader)
        sandbox.inaccessiblePaths = paths("inaccessible_paths", &reader)
        guard let (names, node) = reader.strings("capability_bounding_set") else { return }
        var bits: UInt64 = 0
        for name in names {
            if let bit = Capability.bit(of: name) {
                bits |= bit
            } else {
                var message = "there is no capability '\(name)'"
                if let near = Spelling.nearest(to: name, among: Set(Capability.names)) {
                    message += "; did you mean '\(near)'?"
                }
                reader.reject(node, message)
            }
        }
        sandbox.capabilities = bits
    }

    /// True, false, or one of a few words.
    private func mode(_ key: String, among words: [String], _ reader: inout TableReader) -> String? {
        guard let node = reader.value(key) else { return nil }
        switch node.value {
        case .boolean(let flag): return flag ? "yes" : nil
        case .string(let text) where words.contains(text): return text
        default:
            let wanted = words.map { "\"\($0)\"" }.joined(separator: ", ")
            reader.reject(node, "is \(node.found); wanted true, false, \(wanted)")
            return nil
        }
    }

    private func paths(_ key: String, _ reader: inout TableReader) -> [String] {
        guard let (paths, node) = reader.strings(key) else { return [] }
        for path in paths {
            let parts = path.drop { $0 == "-" }.split(separator: "/", omittingEmptySubsequences: false)
            if !(path.hasPrefix("/") || path.hasPrefix("-/")) || parts.contains("..") || parts.contains(".") {
                reader.reject(node, "'\(path)' is not an absolute path (a - before it: if it is there)")
            }
        }
        return paths
    }
}
