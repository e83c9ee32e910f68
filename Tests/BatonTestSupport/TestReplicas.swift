// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import BatonValkey

/// A primary and its replicas, all of them real, and failovers by hand.
///
/// Clients reach whatever a link leads to: a connection stays with the server it was made to, a new one goes where the
/// link leads by then. So an old primary that still answers has its old clients, as one that was cut off with them.
final class TestReplicas: Sendable {
    let servers: [TestServer]
    /// The one that the test begins with.
    var primary: TestServer { servers[0] }
    private let folder: String

    fileprivate init(_ servers: [TestServer]) throws {
        self.servers = servers
        folder = servers[0].folder + "/links"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    /// The path of a link that leads to this server from now on.
    @discardableResult
    func lead(_ link: String, to server: TestServer) throws -> String {
        let (path, next) = ("\(folder)/\(link)", "\(folder)/\(link).next")
        try FileManager.default.createSymbolicLink(atPath: next, withDestinationPath: server.socket)
        guard rename(next, path) == 0 else { throw TestFailure("\(path) can't be replaced") }
        return path
    }

    /// Makes a replica the primary, and lets the others follow it: the failover of an operator who cannot reach the old
    /// primary.
    func promote(_ replica: TestServer) async throws {
        try replica.ask("REPLICAOF", "NO", "ONE")
        let others = servers.dropFirst().filter { $0 !== replica }
        for other in others { try other.ask("REPLICAOF", "127.0.0.1", "\(replica.port)") }
        try await replica.waitForReplicas(others.count)
    }
}

extension TestServer {
    /// Returns when so many replicas follow, and have what was written.
    func waitForReplicas(_ count: Int) async throws {
        try await eventually("\(count) replicas follow") { try number("WAIT", "\(count)", "100") == Int64(count) }
    }
}

/// Runs `body` with a primary that has so many replicas.
func withReplicas(_ count: Int = 2, _ body: (TestReplicas) async throws -> Void) async throws {
    // A replica that comes is served at once.
    let quick = ["--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0"]
    try await withServer(.init(arguments: quick)) { primary in
        try await withMore(count, like: quick + ["--replicaof", "127.0.0.1", "\(primary.port)"], [primary]) { servers in
            try await primary.waitForReplicas(count)
            try await body(TestReplicas(servers))
        }
    }
}

private func withMore(
    _ count: Int, like arguments: [String], _ servers: [TestServer], _ body: ([TestServer]) async throws -> Void
) async throws {
    if count == 0 { return try await body(servers) }
    try await withServer(.init(arguments: arguments)) { server in
        try await withMore(count - 1, like: arguments, servers + [server], body)
    }
}
