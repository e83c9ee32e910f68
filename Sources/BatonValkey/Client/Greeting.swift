// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

/// The first exchange on a connection: who we are, and whether the other side is what we need.
struct Greeting {
    /// The server's time, in microseconds.
    let serverTime: Int64
    /// What an operator should know about this server.
    let warnings: [String]

    /// The commands, sent in one go.
    static func commands(_ configuration: ValkeyStore.Configuration) -> [Command] {
        var commands: [[String]] = []
        if let password = configuration.password {
            commands.append(["AUTH"] + (configuration.username.map { [$0] } ?? []) + [password])
        }
        if configuration.database != 0 { commands.append(["SELECT", "\(configuration.database)"]) }
        commands += [["CLIENT", "SETNAME", "baton"], ["TIME"]]
        commands += [["INFO", "server"], ["INFO", "replication"], ["INFO", "memory"]]
        return commands.map { words in
            var command = Command()
            for word in words { command.append([UInt8](word.utf8)) }
            return command
        }
    }

    /// Judges the replies to `commands`.
    ///
    /// - Throws: why this server can not be used. A refused `CLIENT SETNAME` or `INFO` is not an error.
    init(_ replies: [Reply], to configuration: ValkeyStore.Configuration) throws(LockError) {
        let peer = configuration.peer
        var replies = replies[...]
        if configuration.password != nil { try Self.accepted(replies.popFirst(), peer: peer) }
        if configuration.database != 0 { try Self.accepted(replies.popFirst(), peer: peer) }
        _ = replies.popFirst()

        let time = replies.popFirst()
        if case .error(let message) = time { throw ServerError(message).lockError(peer: peer) }
        guard let now = time?.time else { throw Self.notAServer(peer) }
        serverTime = now

        var fields: [Substring: Substring] = [:]
        var isInfoRefused = false
        for reply in replies {
            if case .error = reply {
                isInfoRefused = true
                continue
            }
            guard let text = reply.text else { throw Self.notAServer(peer) }
            for line in text.split(whereSeparator: \.isNewline) {
                guard let colon = line.firstIndex(of: ":") else { continue }
                fields[line[..<colon]] = line[line.index(after: colon)...]
            }
        }
        if !isInfoRefused, fields["redis_version"] == nil, fields["valkey_version"] == nil {
            throw Self.notAServer(peer)
        }
        if fields["role"] == "slave" {
            let primary = fields["master_host"].map { printable(configuration.redacted(String($0))) }
            throw LockError(.refused, "\(peer) is a replica, of \(primary ?? "another server")")
        }
        warnings = Self.warnings(fields, isInfoRefused: isInfoRefused).map { configuration.redacted($0) }
    }

    private static func warnings(_ fields: [Substring: Substring], isInfoRefused: Bool) -> [String] {
        var warnings: [String] = []
        if isInfoRefused {
            warnings.append("the store refuses INFO, without which no guarded lock is granted: its user needs +info")
        }
        if let policy = fields["maxmemory_policy"], policy != "noeviction" {
            warnings.append("the store may evict locks: its maxmemory-policy is \(printable(String(policy)))")
        }
        if let replicas = fields["connected_slaves"], replicas != "0" {
            warnings.append("the store has replicas: after a fail-over only the fence is safe")
        }
        return warnings
    }

    private static func accepted(_ reply: Reply?, peer: String) throws(LockError) {
        switch reply {
        case .string: return
        case .error(let message): throw ServerError(message).lockError(peer: peer)
        default: throw notAServer(peer)
        }
    }

    private static func notAServer(_ peer: String) -> LockError {
        LockError(.protocolViolation, "\(peer) answers, but not like a Valkey server")
    }
}
