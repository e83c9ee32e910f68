// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import Testing

@testable import BatonValkey

/// A real server in a folder of its own, reachable by TCP, a Unix socket and, if asked for, TLS.
final class TestServer: Sendable {
    struct Options: Sendable {
        var tls = false
        /// Keeps every write, so that a restart can keep the data.
        var appendOnly = false
        var password: String?
        var address = "127.0.0.1"
        /// The network namespace that it runs in; nil: ours.
        var network: String?
        var arguments: [String] = []
    }

    let folder: String
    let port: Int
    let tlsPort: Int
    private let options: Options
    private let process = Mutex<Process?>(nil)

    var socket: String { folder + "/server.sock" }
    var url: String { "valkey://\(options.address):\(port)" }
    var tcp: ValkeyStore.Configuration { configured(.init(address: .tcp(host: options.address, port: port))) }
    var unix: ValkeyStore.Configuration { configured(.init(address: .unixSocket(path: socket))) }
    var tls: ValkeyStore.Configuration {
        var configuration = configured(.init(address: .tcp(host: "localhost", port: tlsPort)))
        configuration.tls = true
        configuration.caFile = TestCertificates.shared.ca
        return configuration
    }

    private func configured(_ configuration: ValkeyStore.Configuration) -> ValkeyStore.Configuration {
        var configuration = configuration.patient
        configuration.password = options.password
        return configuration
    }

    fileprivate init(_ options: Options) throws {
        self.options = options
        folder = NSTemporaryDirectory() + "baton-server-" + UUID().uuidString.prefix(8).lowercased()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        port = try freePort()
        tlsPort = try freePort()
    }

    /// Starts the server and returns when it answers.
    func start() async throws {
        var arguments = [
            "--port", "\(port)", "--bind", options.address, "--unixsocket", socket, "--dir", folder, "--daemonize",
            "no",
            "--save", "", "--appendonly", options.appendOnly ? "yes" : "no", "--appendfsync", "always",
            "--logfile", folder + "/log",
            // Without a password it would talk to loopback only.
            "--protected-mode", "no",
        ]
        if let password = options.password { arguments += ["--requirepass", password] }
        if options.tls {
            let certificates = TestCertificates.shared
            arguments += [
                "--tls-port", "\(tlsPort)", "--tls-cert-file", certificates.certificate, "--tls-key-file",
                certificates.key, "--tls-ca-cert-file", certificates.ca, "--tls-auth-clients", "no",
            ]
        }
        let started = Process()
        let program = try Self.program
        if let network = options.network {
            started.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
            started.arguments = ["--net=/run/netns/\(network)", program] + arguments + options.arguments
        } else {
            started.executableURL = URL(fileURLWithPath: program)
            started.arguments = arguments + options.arguments
        }
        started.standardInput = FileHandle.nullDevice
        started.standardOutput = FileHandle.nullDevice
        try started.run()
        process.withLock { $0 = started }

        let limit = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < limit {
            if started.isRunning, let connection = try? RawConnection(socket: socket) {
                if let password = options.password { _ = try connection.ask("AUTH", password) }
                if try connection.ask("PING") == .string(Array("PONG".utf8)) { return }
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw TestFailure(
            "the server did not start: \((try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? "")")
    }

    /// One command on a connection of its own, by the Unix socket.
    @discardableResult
    func ask(_ command: String...) throws -> Reply {
        let connection = try RawConnection(socket: socket)
        if let password = options.password { _ = try connection.ask("AUTH", password) }
        return try connection.ask(command.map { Array($0.utf8) })
    }

    /// One command whose answer is a number; nil when it is something else.
    func number(_ command: String...) throws -> Int64? {
        let connection = try RawConnection(socket: socket)
        guard case .integer(let number) = try connection.ask(command.map { Array($0.utf8) }) else { return nil }
        return number
    }

    /// Its clock, in microseconds.
    func time() throws -> Int64 {
        guard case .array(let parts) = try ask("TIME"), parts.count == 2, let seconds = parts[0].number,
            let rest = parts[1].number
        else { throw TestFailure("no time") }
        return seconds * 1_000_000 + rest
    }

    /// Gives it another identity, with the data it has: what a promotion does.
    func becomeAnother() throws {
        let connection = try RawConnection(socket: socket)
        // In one step: as a replica it would answer nobody.
        for command in ["MULTI", "REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "EXEC"] {
            if case .error(let message) = try connection.ask(command.split(separator: " ").map { Array($0.utf8) }) {
                throw TestFailure(message)
            }
        }
    }

    /// Freezes the server.
    func freeze() { signal(SIGSTOP) }
    /// Lets a frozen server go on.
    func thaw() { signal(SIGCONT) }

    /// Ends the server, at once.
    func end() {
        let running = process.withLock { process in
            defer { process = nil }
            return process
        }
        guard let running else { return }
        kill(running.processIdentifier, SIGCONT)
        kill(running.processIdentifier, SIGKILL)
        running.waitUntilExit()
    }

    /// Ends the server and starts it anew, with the data it had (`appendOnly`) or with none.
    func restart(keepingData: Bool) async throws {
        end()
        if !keepingData {
            for name in ["appendonlydir", "dump.rdb"] {
                try? FileManager.default.removeItem(atPath: folder + "/" + name)
            }
        }
        try await start()
    }

    fileprivate func cleanUp() {
        end()
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func signal(_ number: Int32) {
        process.withLock { process in
            if let process { _ = kill(process.processIdentifier, number) }
        }
    }

    /// `valkey-server` if it is installed, else `redis-server`; neither is a failure, not a reason to skip.
    static var program: String {
        get throws {
            for name in ["valkey-server", "redis-server"] {
                for folder in ["/usr/bin/", "/usr/local/bin/"] where access(folder + name, X_OK) == 0 {
                    return folder + name
                }
            }
            throw TestFailure("neither valkey-server nor redis-server is installed")
        }
    }
}

/// Runs `body` with a server that has ended when this returns, whatever happens.
func withServer<Result>(
    _ options: TestServer.Options = .init(), _ body: (TestServer) async throws -> Result
) async throws -> Result {
    let server = try TestServer(options)
    defer { server.cleanUp() }
    try await server.start()
    return try await body(server)
}

extension ValkeyStore.Configuration {
    /// With time enough for a machine that is busy with other things.
    var patient: Self {
        var configuration = self
        configuration.connectTimeout = .seconds(20)
        configuration.requestTimeout = .seconds(10)
        return configuration
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Returns as soon as `condition` holds; fails after `limit`.
func eventually(
    within limit: Duration = .seconds(10), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(what, sourceLocation: sourceLocation)
    throw TestFailure("waited in vain: \(what)")
}
