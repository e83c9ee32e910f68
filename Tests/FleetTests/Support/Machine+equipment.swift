// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonSystem
import Foundation

extension Machine {
    /// What a machine has when it boots.
    struct Equipment: Sendable {
        /// Else it is a random name.
        var hostname: String?
        /// The programs under test, and the unit as it ships. Without them there is nothing of Baton, as before its
        /// package is installed.
        var hasBaton = true
        /// The network namespace that it is in; nil: it has no network.
        var network: String?
        /// A folder of this system that it sees as `Machine.shared`.
        var sharing: String?
        /// Folders of this system that it can read, by their path inside.
        var folders: [String: String] = [:]
        /// Where the workloads of several machines write.
        var evidence: Evidence?
        /// Folders that lie over this system's root, as what "make install" has put down.
        var layers: [String] = []
        /// Small file systems of its own, by their path inside: options of a tmpfs. Below /run they are new with each
        /// boot.
        var volumes: [String: String] = [:]
    }

    /// A folder for lines of workloads, at the same place in every machine.
    struct Evidence: Sendable {
        let name = "evidence-" + UUID().uuidString.prefix(8).lowercased()
        let folder: String

        init() throws {
            folder = "/tmp/" + name
            try Files.makeFolder(folder, mode: 0o777)
        }
    }
}
