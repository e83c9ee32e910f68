// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// What a node tells the others of itself, by way of the store: who it is, and how each job stands there.
///
/// For people. Nobody is elected, started or stopped because of it.
package struct NodeRecord: Equatable, Sendable {
    package var node: String
    /// Random, per life of the daemon.
    package var instance: String
    /// Of Baton.
    package var version: String
    /// When this daemon started: RFC 3339, UTC, by its own clock.
    package var since: String
    /// By name.
    package var jobs: [Job]

    package struct Job: Equatable, Sendable {
        package var name: String
        /// Of the job's file with the node's defaults: the same where they say the same.
        package var digest: UInt64
        package var standing: Standing

        package init(name: String, digest: UInt64, standing: Standing) {
            self.name = name
            self.digest = digest
            self.standing = standing
        }
    }

    /// How a job stands on a node, as far as other nodes care: it does not change with every step of a run.
    package enum Standing: String, Equatable, Sendable, CaseIterable {
        /// The node holds the job's lock.
        case running
        /// It would take over.
        case standby
        case disabled, ineligible, invalid
        /// Nobody is to run it now, or the node can't tell: held down, waiting for the store, …
        case other

        package init(_ state: StatusReport.State) {
            self =
                switch state {
                case .running, .starting, .stopping: .running
                case .standby: .standby
                case .disabled: .disabled
                case .ineligible: .ineligible
                case .invalid: .invalid
                case .backoff, .paused, .waitingForStore, .heldDown, .finished: .other
                }
        }
    }

    package init(node: String, instance: String, version: String, since: String, jobs: [Job]) {
        self.node = node
        self.instance = instance
        self.version = version
        self.since = since
        self.jobs = jobs
    }

    /// Format, node, instance, version, since: one line each. Then a line for each job: standing, digest in hexadecimal,
    /// name.
    package func encode() -> Bytes {
        var text = "1\n\(node)\n\(instance)\n\(version)\n\(since)"
        text.reserveCapacity(text.utf8.count + jobs.count * 48)
        for job in jobs {
            // The file of an invalid job may have any name, with line breaks.
            text += "\n\(job.standing.rawValue) \(String(job.digest, radix: 16)) \(PrintableText.escaped(job.name))"
        }
        return Bytes(text.utf8)
    }

    /// Nil for what a version of Baton wrote that this one does not know.
    package init?(decoding bytes: Bytes) {
        // By bytes: with a mark that belongs to the letter before it, a blank is no letter of its own.
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        guard lines.count >= 5, Self.text(lines[0]) == "1" else { return nil }
        node = Self.text(lines[1])
        instance = Self.text(lines[2])
        version = Self.text(lines[3])
        since = Self.text(lines[4])
        jobs = []
        for line in lines[5...] {
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count == 3, let digest = UInt64(Self.text(words[1]), radix: 16) else { return nil }
            // A word of a later version: nothing that this one knows how to use.
            let standing = Standing(rawValue: Self.text(words[0])) ?? .other
            jobs.append(Job(name: Self.text(words[2]), digest: digest, standing: standing))
        }
    }

    private static func text(_ bytes: Bytes.SubSequence) -> String { String(decoding: bytes, as: UTF8.self) }

    package func job(_ name: String) -> Job? { jobs.first { $0.name == name } }
}
