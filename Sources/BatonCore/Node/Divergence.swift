// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// Job files that are not the same on every node.
///
/// For each job the nodes are grouped by what its file says there, those without one being a group as well. The largest
/// group is right; of equally large ones that with the first node by name, but one that has the file before one that has
/// not.
package struct Divergence: Equatable, Sendable {
    /// One job on one node that is not as on most.
    package struct Difference: Codable, Equatable, Sendable {
        package enum Kind: String, Codable, Equatable, Sendable {
            /// Its file says something else.
            case differs
            /// It has no such file.
            case missing
            /// Most have no such file.
            case extra
        }
        package var job: String
        package var kind: Kind
        /// The first node of those that are right.
        package var from: String

        package init(job: String, kind: Kind, from: String) {
            self.job = job
            self.kind = kind
            self.from = from
        }

        /// As `batonctl nodes` has it.
        package var text: String {
            switch kind {
            case .differs: "\(job): differs from \(from)"
            case .missing: "\(job): missing, is on \(from)"
            case .extra: "\(job): is not on \(from)"
            }
        }
    }

    /// By node, in the order of the jobs' names; nodes without any are left out.
    package private(set) var differences: [String: [Difference]] = [:]

    package init(among nodes: [NodeRecord]) {
        let nodes = nodes.sorted { $0.node < $1.node }
        let digests = nodes.map { node in
            Dictionary(node.jobs.map { ($0.name, $0.digest) }) { first, _ in first }
        }
        for job in Set(digests.flatMap(\.keys)).sorted() {
            // By the first node that has it so.
            var groups: [(digest: UInt64?, nodes: [Int])] = []
            for index in nodes.indices {
                let digest = digests[index][job]
                if let group = groups.firstIndex(where: { $0.digest == digest }) {
                    groups[group].nodes.append(index)
                } else {
                    groups.append((digest, [index]))
                }
            }
            guard groups.count > 1 else { continue }
            let most = groups.map(\.nodes.count).max() ?? 0
            let largest = groups.filter { $0.nodes.count == most }
            guard let right = largest.first(where: { $0.digest != nil }) ?? largest.first else { continue }
            for group in groups where group.digest != right.digest {
                let kind: Difference.Kind =
                    right.digest == nil ? .extra : group.digest == nil ? .missing : .differs
                let difference = Difference(job: job, kind: kind, from: nodes[right.nodes[0]].node)
                for index in group.nodes { differences[nodes[index].node, default: []].append(difference) }
            }
        }
    }

    /// The jobs that are not the same everywhere, by name.
    package var jobs: [String] { Set(differences.values.joined().map(\.job)).sorted() }

    /// The differences of one job, by node.
    package func of(_ job: String) -> [(node: String, difference: Difference)] {
        differences.sorted { $0.key < $1.key }.flatMap { node, differences in
            differences.filter { $0.job == job }.map { (node, $0) }
        }
    }

    /// One line for `status`; nil when all is the same.
    package var warning: String? {
        let jobs = jobs
        guard !jobs.isEmpty else { return nil }
        let named = jobs.prefix(3).joined(separator: ", ") + (jobs.count > 3 ? ", and \(jobs.count - 3) more" : "")
        let nodes = differences.keys.sorted()
        let where_ = nodes.prefix(3).joined(separator: ", ") + (nodes.count > 3 ? ", …" : "")
        return "job files are not the same on all nodes (\(named); on \(where_)): \"batonctl nodes\" shows which"
    }
}
