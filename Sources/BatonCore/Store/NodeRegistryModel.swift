// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The registry of nodes as every store keeps it: the specification that tests hold real ones to.
package struct NodeRegistryModel: Equatable, Sendable {
    private struct Entry: Equatable, Sendable {
        var instance: String
        var record: Bytes
        /// In the server's microseconds.
        var ends: Int64
    }
    private var entries: [NodeKeys: Entry] = [:]

    /// A registry in which nobody is.
    package init() {}

    package mutating func register(_ request: RegisterRequest, at now: Int64) -> RegisterReply {
        let present = live(request.keys, at: now)
        if let other = present?.instance, other != request.instance, other != request.predecessor {
            return .taken(instance: other)
        }
        let ends = now + request.timeToLive.microseconds
        if let record = request.record {
            entries[request.keys] = Entry(instance: request.instance, record: record, ends: ends)
            return .registered
        }
        guard present?.instance == request.instance else { return .unknown }
        entries[request.keys]?.ends = ends
        return .registered
    }

    /// True when the record was this daemon's.
    package mutating func unregister(_ keys: NodeKeys, instance: String, at now: Int64) -> Bool {
        guard live(keys, at: now)?.instance == instance else { return false }
        entries[keys] = nil
        return true
    }

    /// The live ones, by name.
    package func nodes(_ prefix: String, at now: Int64) -> [RegisteredNode] {
        entries.keys.filter { $0.prefix == prefix }.sorted { $0.name < $1.name }.compactMap { keys in
            live(keys, at: now).map { RegisteredNode(name: keys.name, instance: $0.instance, record: $0.record) }
        }
    }

    private func live(_ keys: NodeKeys, at now: Int64) -> Entry? {
        entries[keys].flatMap { $0.ends > now ? $0 : nil }
    }
}
