// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// On which nodes a job may run, and on which it would rather (`[placement]`).
package struct Placement: Equatable, Sendable {
    /// Patterns of node names, of which one has to match: `*` is any text, `?` any character. None: every node.
    package var nodes: [String]
    /// Tags that a node must have.
    package var require: [String: String]
    /// Tags of the nodes that go first.
    package var prefer: [String: String]

    package init(nodes: [String] = [], require: [String: String] = [:], prefer: [String: String] = [:]) {
        self.nodes = nodes
        self.require = require
        self.prefer = prefer
    }

    /// So much later than those that are preferred do the others ask for a lock that may be had.
    package static let handicap = Duration.milliseconds(500)

    /// Why a node may not run the job, and never asks for its lock; nil: it may.
    package func objection(to node: NodeProfile) -> String? {
        if !nodes.isEmpty, !nodes.contains(where: { NamePattern($0).matches(node.name) }) {
            return "\(node.name) is none of placement.nodes = \(nodes.joined(separator: ", "))"
        }
        let missing = Self.missing(require, on: node)
        return missing.isEmpty ? nil : "placement.require wants \(missing.joined(separator: "; "))"
    }

    /// How long this node stands back for those that are preferred, each time the lock may be had.
    package func handicap(of node: NodeProfile) -> Duration {
        Self.missing(prefer, on: node).isEmpty ? .zero : Self.handicap
    }

    /// What is wanted and what there is instead, in the order of the keys.
    private static func missing(_ wanted: [String: String], on node: NodeProfile) -> [String] {
        wanted.sorted { $0.key < $1.key }.compactMap { key, value in
            guard node.tags[key] != value else { return nil }
            let found = node.tags[key].map { "\(node.name) has \($0)" } ?? "\(node.name) has no such tag"
            return "\(key) = \(value), \(found)"
        }
    }
}

/// What placement knows of a node.
package struct NodeProfile: Equatable, Sendable {
    package var name: String
    /// `[node] tags`.
    package var tags: [String: String]

    package init(name: String, tags: [String: String] = [:]) {
        self.name = name
        self.tags = tags
    }
}

/// A pattern of names: `*` is any text, also none; `?` is one character; everything else is itself.
package struct NamePattern: Equatable, Sendable {
    private let pattern: [UInt8]

    package init(_ text: String) { pattern = Array(text.utf8) }

    package func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        var (at, place) = (0, 0)
        /// The last `*`, and the text that it stands for so far.
        var star: (at: Int, end: Int)?
        while place < name.count {
            if at < pattern.count, pattern[at] == UInt8(ascii: "*") {
                star = (at, place)
                at += 1
            } else if at < pattern.count, pattern[at] == name[place] || pattern[at] == UInt8(ascii: "?") {
                at += 1
                place += 1
            } else if let last = star {
                // The star takes one character more.
                star = (last.at, last.end + 1)
                (at, place) = (last.at + 1, last.end + 1)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
