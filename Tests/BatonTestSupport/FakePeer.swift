// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonValkey
import Foundation
import Synchronization

/// Something that listens where a server is expected, and says what it likes.
final class FakePeer: Sendable {
    /// What it does with a connection: `receive` gives what came, nil at the end; `send` writes.
    typealias Behaviour =
        @Sendable (_ receive: () -> [UInt8]?, _ send: ([UInt8]) -> Void) -> Void

    private let listener: LoopbackListener
    private struct Connections {
        /// Those that something is still said on.
        var busy: Set<Int32> = []
        /// Hung up on, and kept: what was said last may not have been read yet, and a close might take it back.
        var idle: Set<Int32> = []
        var isOver = false
    }
    private let connections = Mutex(Connections())
    var port: Int { listener.port }
    var configuration: ValkeyStore.Configuration {
        ValkeyStore.Configuration(address: .tcp(host: "127.0.0.1", port: port)).patient
    }

    fileprivate init(_ behaviour: @escaping Behaviour) throws {
        listener = try LoopbackListener()
        Thread.detachNewThread { [self] in
            while true {
                let connection = accept(listener.descriptor, nil, nil)
                if connection < 0 { return }
                _ = connections.withLock { $0.busy.insert(connection) }
                Thread.detachNewThread {
                    behaviour(
                        {
                            var buffer = [UInt8](repeating: 0, count: 1 << 16)
                            let count = read(connection, &buffer, buffer.count)
                            return count > 0 ? Array(buffer[..<count]) : nil
                        },
                        { bytes in
                            var rest = bytes[...]
                            while !rest.isEmpty {
                                let count = rest.withUnsafeBytes {
                                    Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                                }
                                if count <= 0 { return }
                                rest = rest.dropFirst(count)
                            }
                        })
                    self.connections.withLock {
                        $0.busy.remove(connection)
                        shutdown(connection, Int32(SHUT_RDWR))
                        if $0.isOver { close(connection) } else { $0.idle.insert(connection) }
                    }
                }
            }
        }
    }

    /// The threads see it, and close what is theirs.
    fileprivate func end() {
        shutdown(listener.descriptor, Int32(SHUT_RDWR))
        connections.withLock {
            $0.isOver = true
            for connection in $0.busy { shutdown(connection, Int32(SHUT_RDWR)) }
            for connection in $0.idle { close(connection) }
            $0.idle = []
        }
    }

    /// What a server says to our greeting (`CLIENT SETNAME`, `TIME`, three times `INFO`).
    static let goodGreeting = goodGreeting(maxMemoryPolicy: "noeviction")

    static func goodGreeting(maxMemoryPolicy: String) -> [UInt8] {
        let memory = "maxmemory_policy:" + maxMemoryPolicy
        return Array(
            ("+OK\r\n*2\r\n$10\r\n1795421655\r\n$1\r\n7\r\n"
                + "$19\r\nredis_version:7.0.0\r\n$11\r\nrole:master\r\n$\(memory.utf8.count)\r\n\(memory)\r\n").utf8)
    }
}

/// Runs `body` beside a peer that is gone when this returns.
func withPeer<Result>(
    _ behaviour: @escaping FakePeer.Behaviour, _ body: (FakePeer) async throws -> Result
) async throws -> Result {
    let peer = try FakePeer(behaviour)
    defer { peer.end() }
    return try await body(peer)
}
