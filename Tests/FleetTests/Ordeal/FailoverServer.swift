// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import BatonTestSupport
@testable import BatonValkey

/// The store of the fleet: a server with a replica that can take its place, both with a wall clock that can be wrong.
final class FailoverServer: Sendable {
    static let port = 6379
    private let network: Network
    private let clock: WrongClock
    private let both: Mutex<(primary: ServerProcess?, replica: ServerProcess?)>
    private let count = Mutex(0)
    let folder: String

    var url: String { "valkey://\(Network.serverAddress):\(Self.port)" }

    fileprivate init(network: Network, clock: WrongClock) throws {
        self.network = network
        self.clock = clock
        both = Mutex((nil, nil))
        folder = NSTemporaryDirectory() + "baton-servers-" + UUID().uuidString.prefix(8).lowercased()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        Janitor.shared.sweepIfKilled(folder: folder)
    }

    fileprivate func start() async throws {
        let primary = try next(port: Self.port)
        both.withLock { $0.primary = primary }
        try await primary.start()
        try await addReplica()
    }

    private func next(port: Int) throws -> ServerProcess {
        let number = count.withLock { count in
            count += 1
            return count
        }
        return try ServerProcess(folder: "\(folder)/\(number)", port: port, network: network.hub, clock: clock)
    }

    var primary: ServerProcess {
        get throws {
            guard let primary = both.withLock({ $0.primary }) else { throw TestFailure("there is no server") }
            return primary
        }
    }

    /// A fresh replica, which has everything when this returns.
    func addReplica() async throws {
        both.withLock { $0.replica }?.end()
        let replica = try next(port: Self.port + 1)
        both.withLock { $0.replica = replica }
        try await replica.start()
        try replica.ask("REPLICAOF", Network.serverAddress, "\(Self.port)")
        try await eventually(within: .seconds(20), "the replica follows") {
            guard case .string(let text) = try replica.ask("INFO", "replication") else { return false }
            return String(decoding: text, as: UTF8.self).contains("master_link_status:up")
        }
    }

    /// From now on the replica hears nothing of the primary any more.
    func detachReplica() throws { try both.withLock { $0.replica }?.ask("REPLICAOF", "NO", "ONE") }

    /// The primary is gone, and the replica, with what it knows, is found at its address.
    func failOver() throws {
        let (primary, replica) = both.withLock { ($0.primary, $0.replica) }
        guard let replica else { throw TestFailure("there is no replica") }
        primary?.end()
        try replica.ask("REPLICAOF", "NO", "ONE")
        try replica.move(to: Self.port)
        both.withLock { $0 = (replica, nil) }
    }

    fileprivate func end() {
        let (primary, replica) = both.withLock { ($0.primary, $0.replica) }
        primary?.end()
        replica?.end()
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// Runs `body` with servers that have ended when this returns, whatever happens.
func withFailoverServer(
    _ network: Network, clock: WrongClock, _ body: (FailoverServer) async throws -> Void
) async throws {
    let server = try FailoverServer(network: network, clock: clock)
    defer { server.end() }
    try await server.start()
    try await body(server)
}
