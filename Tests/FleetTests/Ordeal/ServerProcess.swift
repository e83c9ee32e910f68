// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

@testable import BatonTestSupport
@testable import BatonValkey

/// One server of a pair, with a folder and a socket of its own.
final class ServerProcess: Sendable {
    private let folder: String
    private let port: Mutex<Int>
    private let network: String
    private let clock: WrongClock
    private let process = Mutex<Process?>(nil)

    private var socket: String { folder + "/server.sock" }

    init(folder: String, port: Int, network: String, clock: WrongClock) throws {
        self.folder = folder
        self.port = Mutex(port)
        self.network = network
        self.clock = clock
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    /// Starts it and returns when it answers.
    func start() async throws {
        let started = Process()
        started.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
        started.arguments = [
            "--net=/run/netns/\(network)", try TestServer.program, "--port", "\(port.withLock { $0 })", "--bind",
            Network.serverAddress, "--unixsocket", socket, "--dir", folder, "--daemonize", "no", "--save", "",
            "--appendonly", "yes", "--appendfsync", "always", "--logfile", folder + "/log", "--protected-mode", "no",
            "--enable-debug-command", "yes", "--repl-diskless-sync-delay", "0",
        ]
        started.environment = ProcessInfo.processInfo.environment.merging(clock.environment()) { $1 }
        started.standardInput = FileHandle.nullDevice
        started.standardOutput = FileHandle.nullDevice
        try started.run()
        process.withLock { $0 = started }
        let limit = ContinuousClock.now + .seconds(20)
        while ContinuousClock.now < limit, started.isRunning {
            if let reply = try? ask("PING"), reply == .string(Array("PONG".utf8)) { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
        throw TestFailure("the server did not start: \(log.suffix(2000))")
    }

    /// One command on a connection of its own, by the Unix socket.
    @discardableResult
    func ask(_ command: String...) throws -> Reply {
        try RawConnection(socket: socket).ask(command.map { Array($0.utf8) })
    }

    /// One whose answer comes late, or never; the connection is there as long as what this returns.
    func send(_ command: String...) throws -> RawConnection {
        let connection = try RawConnection(socket: socket)
        try connection.send(command.map { Array($0.utf8) })
        return connection
    }

    func signal(_ number: Int32) {
        process.withLock { process in
            if let process, process.isRunning { _ = kill(process.processIdentifier, number) }
        }
    }

    /// Ends it, at once.
    func end() {
        let running = process.withLock { process in
            defer { process = nil }
            return process
        }
        guard let running else { return }
        kill(running.processIdentifier, SIGKILL)
        running.waitUntilExit()
    }

    /// Listens there from now on, and after a restart.
    func move(to newPort: Int) throws {
        try ask("CONFIG", "SET", "port", "\(newPort)")
        port.withLock { $0 = newPort }
    }

    func forgetData() { try? FileManager.default.removeItem(atPath: folder + "/appendonlydir") }
}
