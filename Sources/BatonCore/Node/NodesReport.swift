// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What `batonctl nodes --json` prints, and the control socket answers.
package struct NodesReport: Codable, Equatable, Sendable {
    /// The node that was asked.
    package var node: String
    package var nodes: [Node]
    package var warnings: [String]

    package struct Node: Codable, Equatable, Sendable {
        package var name: String
        package var instance: String
        /// Nil: its record is of a version that this one does not know.
        package var version: String?
        /// RFC 3339, UTC.
        package var since: String?
        /// How many jobs run there, and for how many it would take over; nil as for the version.
        package var running: Int?
        package var standby: Int?
        /// Where its job files are not as on most nodes.
        package var differences: [Divergence.Difference]

        package init(name: String, instance: String) {
            self.name = name
            self.instance = instance
            differences = []
        }
    }

    package init(node: String, nodes: [Node], warnings: [String] = []) {
        self.node = node
        self.nodes = nodes
        self.warnings = warnings
    }

    /// - Parameters:
    ///   - node: the node that is asked.
    ///   - registered: every live node, as the store has it.
    package init(node: String, registered: [RegisteredNode], warnings: [String] = []) {
        let records = registered.map { ($0, NodeRecord(decoding: $0.record)) }
        let divergence = Divergence(among: records.compactMap(\.1))
        let nodes = records.map { registered, record in
            var shown = Node(name: registered.name, instance: registered.instance)
            guard let record else { return shown }
            shown.version = record.version
            shown.since = record.since
            shown.running = record.jobs.count { $0.standing == .running }
            shown.standby = record.jobs.count { $0.standing == .standby }
            shown.differences = divergence.differences[record.node] ?? []
            return shown
        }
        self.init(node: node, nodes: nodes, warnings: warnings)
    }
}
