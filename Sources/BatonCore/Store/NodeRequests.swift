// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

/// The names under which a store keeps what one node says of itself.
package struct NodeKeys: Hashable, Sendable {
    package let prefix: String
    /// The node's name.
    package let name: String

    package init(prefix: String, name: String) {
        self.prefix = prefix
        self.name = name
    }

    /// Its record, with a TTL: `{PREFIX}:node:NAME`.
    package var record: Bytes { NodeKeys.stem(prefix) + Bytes(name.utf8) }

    /// The names of all nodes that registered, some of which may be gone: nobody has to search the store for them.
    package static func index(_ prefix: String) -> Bytes { Bytes("{\(prefix)}:nodes".utf8) }

    /// What the keys of all records begin with.
    package static func stem(_ prefix: String) -> Bytes { Bytes("{\(prefix)}:node:".utf8) }
}

/// A node says that it is alive, and who and what it is.
package struct RegisterRequest: Equatable, Sendable {
    package var keys: NodeKeys
    /// The daemon's random id: another one of the same name is another daemon.
    package var instance: String
    /// An earlier daemon of this very node, whose record is replaced at once; nil: none is known.
    package var predecessor: String?
    /// What is kept for others, opaque; nil: only "still alive", with the record that is there.
    package var record: Bytes?
    /// How long it is kept without another request.
    package var timeToLive: Duration

    package init(
        keys: NodeKeys, instance: String, predecessor: String? = nil, record: Bytes?, timeToLive: Duration
    ) {
        self.keys = keys
        self.instance = instance
        self.predecessor = predecessor
        self.record = record
        self.timeToLive = timeToLive
    }
}

/// The store's answer to a registration.
package enum RegisterReply: Equatable, Sendable {
    /// Known to everybody until the TTL is over.
    case registered
    /// Nothing of ours is there to keep alive: the whole record is wanted.
    case unknown
    /// Another live daemon has this name.
    case taken(instance: String)
}

/// What a store knows of a live node.
package struct RegisteredNode: Equatable, Sendable {
    package var name: String
    package var instance: String
    package var record: Bytes

    package init(name: String, instance: String, record: Bytes) {
        self.name = name
        self.instance = instance
        self.record = record
    }
}
