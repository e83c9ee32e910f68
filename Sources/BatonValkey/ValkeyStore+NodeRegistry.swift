// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
package import BatonLock

extension ValkeyStore: NodeRegistry {
    /// Says that a node is alive, in one script.
    package func register(_ request: RegisterRequest, timeout: Duration) async throws(LockError) -> RegisterReply {
        try request.check()
        let keys = request.keys
        let call = ScriptCall(
            .register, keys: [keys.record, NodeKeys.index(keys.prefix)],
            arguments: [
                Bytes(keys.name.utf8), NodeKeys.stem(keys.prefix), Bytes(request.instance.utf8),
                Bytes((request.predecessor ?? "").utf8),
                Bytes("\(ScriptCall.milliseconds(request.timeToLive))".utf8),
                Bytes((request.record == nil ? "0" : "1").utf8), request.record ?? [],
            ])
        return try await run(call, on: nil, timeout: timeout) { $0.registerReply() }
    }

    /// Takes a node's record away, if it is still this daemon's.
    package func unregister(
        _ keys: NodeKeys, instance: String, timeout: Duration
    ) async throws(LockError) -> Bool {
        let call = ScriptCall(.unregister, keys: [keys.record], arguments: [Bytes(instance.utf8)])
        return try await run(call, on: nil, timeout: timeout) { $0.wasUnregistered() }
    }

    /// All live nodes: their names in one script, then their records, one reply each, because there is a limit to what a
    /// reply may have.
    package func nodes(prefix: String, timeout: Duration) async throws(LockError) -> [RegisteredNode] {
        let call = ScriptCall(.nodeNames, keys: [NodeKeys.index(prefix)], arguments: [NodeKeys.stem(prefix)])
        let names = try await run(call, on: nil, timeout: timeout) { $0.nodeNames() }.sorted()
        if names.isEmpty { return [] }
        // The first one's error would be everybody's: a server that can't just now.
        let records = names.map { Command(Array("GET".utf8), NodeKeys(prefix: prefix, name: $0).record) }
        let replies = try await exchange([Command(Array("TIME".utf8))] + records, about: nil, timeout: timeout)
        return zip(names, replies.dropFirst()).compactMap { name, reply in
            // Gone meanwhile, or something else's key.
            guard let value = reply.bytes, let end = value.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            let instance = String(decoding: value[..<end], as: UTF8.self)
            return RegisteredNode(name: name, instance: instance, record: Bytes(value[(end + 1)...]))
        }
    }
}
