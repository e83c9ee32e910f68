// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

/// The first exchange on a connection: who we are, and whether the other side is what we need.
struct Greeting {
    /// The server's time, in microseconds.
    let serverTime: Int64
    /// Which process it is, by its own word; nil: it does not say.
    let server: String?
    /// How many replicas are connected; nil: it does not say.
    let replicas: Int64?
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
        // Whether it may be asked at all: to learn that from the first grant would be late.
        if configuration.replicas > 0 { commands.append(["WAIT", "0", "1"]) }
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

        if configuration.replicas > 0, case .error(let message) = replies.popLast() {
            let error = ServerError(message).lockError(peer: peer)
            throw LockError(error.code, "\(error.message) (replicas are waited for with WAIT: +wait in the user's ACL)")
        }
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
        replicas = fields["connected_slaves"].flatMap { Int64($0) }
        server = fields["run_id"].map(String.init)
        warnings = Self.warnings(fields, isInfoRefused: isInfoRefused, waitedFor: configuration.replicas).map {
            configuration.redacted($0)
        }
    }

    private static func warnings(
        _ fields: [Substring: Substring], isInfoRefused: Bool, waitedFor: Int
    ) -> [String] {
        var warnings: [String] = []
        if isInfoRefused {
            warnings.append("the store refuses INFO, without which no guarded lock is granted: its user needs +info")
        }
        if let policy = fields["maxmemory_policy"], policy != "noeviction" {
            warnings.append("the store may evict locks: its maxmemory-policy is \(printable(String(policy)))")
        }
        let connected = fields["connected_slaves"].flatMap { Int($0) } ?? 0
        if waitedFor == 0, connected > 0 || hadReplicas(fields) {
            warnings.append(
                "the store has \(connected > 0 ? "" : "had ")replicas, which are not waited for: after a failover only "
                    + "the fence is safe (store.replicas is 0)")
        } else if waitedFor > 0, connected > waitedFor {
            warnings.append(
                "the store has \(connected) replicas, and store.replicas is \(waitedFor): if one that was not waited for "
                    + "is promoted, only the fence is safe")
        }
        return warnings
    }

    /// A replica that is away just now may be promoted all the same. The history of a server that never had one, and
    /// was none, is empty.
    private static func hadReplicas(_ fields: [Substring: Substring]) -> Bool {
        fields["repl_backlog_active"] == "1" || fields["master_replid2"]?.contains { $0 != "0" } == true
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
