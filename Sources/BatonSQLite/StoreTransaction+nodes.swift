// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import GRDB

/// The registry of nodes: more than one daemon on this machine, or one that was started again.
extension StoreTransaction {
    func register(_ request: RegisterRequest) throws -> RegisterReply {
        guard let bootID else {
            throw LockError(.refused, "the kernel does not name this boot: records would outlive a reboot")
        }
        let keys = request.keys
        try forgetTheDead()
        let present = try database.first(
            "SELECT instance FROM node WHERE prefix = ? AND name = ?", keys.prefix, keys.name
        ) { $0.text(0) ?? "" }
        if let present, present != request.instance, present != request.predecessor {
            return .taken(instance: present)
        }
        let expires = now.addingOrMax(request.timeToLive.microseconds)
        if let record = request.record {
            try database.run(
                """
                INSERT OR REPLACE INTO node (prefix, name, instance, record, boot, expires) VALUES (?, ?, ?, ?, ?, ?)
                """, keys.prefix, keys.name, request.instance, record, bootID, expires)
            return .registered
        }
        guard present == request.instance else { return .unknown }
        try database.run(
            "UPDATE node SET expires = ? WHERE prefix = ? AND name = ?", expires, keys.prefix, keys.name)
        return .registered
    }

    func unregister(_ keys: NodeKeys, instance: String) throws -> Bool {
        try forgetTheDead()
        let present = try database.first(
            "SELECT instance FROM node WHERE prefix = ? AND name = ?", keys.prefix, keys.name
        ) { $0.text(0) }
        guard present == instance else { return false }
        try database.run("DELETE FROM node WHERE prefix = ? AND name = ?", keys.prefix, keys.name)
        return true
    }

    func nodes(prefix: String) throws -> [RegisteredNode] {
        var found: [RegisteredNode] = []
        try database.each(
            """
            SELECT name, instance, record FROM node WHERE prefix = ? AND boot = ? AND expires > ? ORDER BY name
            """, prefix, bootID ?? "", now
        ) { row in
            found.append(
                RegisteredNode(name: row.text(0) ?? "", instance: row.text(1) ?? "", record: row.bytes(2) ?? []))
        }
        return found
    }

    /// Records of an earlier boot are void (rule N9), as are those whose time is over.
    private func forgetTheDead() throws {
        try database.run("DELETE FROM node WHERE boot <> ? OR expires <= ?", bootID ?? "", now)
    }
}
