// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonValkey
import Foundation

@testable import BatonTestSupport

/// A process that uses `valkey.lock.Lock` of the PyPI package, one request after the other: Tests/Interoperation/peer.py.
final class ValkeyPy: Sendable {
    /// What the package's method raised.
    struct Raised: Error, Equatable, Decodable {
        var error: String
        var message: String
    }

    private let process: Process
    private let descriptor: Int32
    /// Requests wait here, not on one of the few threads that all tests share.
    private let line = DispatchQueue(label: "valkey-py")

    fileprivate init(port: Int) throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
            .standardized
        let python = root.appendingPathComponent(".build/python/bin/python")
        guard access(python.path, X_OK) == 0 else {
            throw TestFailure("valkey-py is not installed in .build/python: run \".ci/setup test\"")
        }
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw TestFailure("socketpair: errno \(errno)")
        }
        let theirs = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
        descriptor = ends[0]
        process = Process()
        process.executableURL = python
        process.arguments = ["-I", root.appendingPathComponent("Tests/Interoperation/peer.py").path, "\(port)"]
        process.standardInput = theirs
        process.standardOutput = theirs
        try process.run()
        // Kept open here, its end would go unnoticed.
        try theirs.close()
    }

    deinit { close(descriptor) }

    /// Ends the process at once, whatever it holds.
    func kill() {
        // Once it has ended, its number may be another's.
        guard process.isRunning else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// A lock object in the process, with the options of the package's class.
    func lock(_ options: [String: Argument], name: Argument = .bytes(bytes(report)), asynchronous: Bool = false)
        async throws -> PythonLock
    {
        let lock = PythonLock(label: UUID().uuidString, python: self)
        try await ask([
            "make": .text(asynchronous ? "AsyncLock" : "Lock"), "as": .text(lock.label),
            "with": .members(options.merging(["name": name]) { $1 }),
        ])
        return lock
    }

    /// What is left of the lock's time, in seconds, as this client sees it; nil: it never ends, or there is none.
    func timeToLive() async throws -> Double? {
        let request: [String: Argument] = ["call": .text("pttl"), "with": .members(["name": .text(report)])]
        guard let left = try await ask(request, for: Double.self), left >= 0 else { return nil }
        return left / 1000
    }

    /// So many threads add 1 to the number at `counter`, in two steps that only the lock keeps together.
    func contend(threads: Int, rounds: Int, counter: String) async throws {
        try await ask([
            "contend": .number(Double(threads)), "rounds": .number(Double(rounds)), "name": .text(report),
            "counter": .text(counter),
        ])
    }

    /// Sends one request and returns the value of its answer; nil for None.
    @discardableResult
    func ask<Value: Decodable & Sendable>(
        _ request: [String: Argument], for _: Value.Type = Bool.self
    ) async throws -> Value? {
        let bytes = try JSONEncoder().encode(request) + [UInt8(ascii: "\n")]
        let reply = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Data, any Error>) in
            line.async { continuation.resume(with: Swift.Result { try self.exchange(bytes) }) }
        }
        if let raised = try? JSONDecoder().decode(Raised.self, from: reply) { throw raised }
        return try JSONDecoder().decode(Reply<Value>.self, from: reply).value
    }

    private func exchange(_ request: Data) throws -> Data {
        let sent = request.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == request.count else { throw TestFailure("valkey-py takes no request: errno \(errno)") }
        var reply = Data()
        while reply.last != UInt8(ascii: "\n") {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            var buffer = [UInt8](repeating: 0, count: 1 << 12)
            guard poll(&waiting, 1, 60_000) == 1 else { throw TestFailure("valkey-py does not answer") }
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw TestFailure("valkey-py has ended; it says why above") }
            reply += buffer[..<count]
        }
        return reply
    }

    private struct Reply<Value: Decodable>: Decodable {
        var value: Value?
    }
}

/// One server, with a Swift store and a Python process at it.
struct BothSides: Sendable {
    let server: TestServer
    let store: ValkeyStore
    let python: ValkeyPy

    /// What is left of the lock's time, as the server has it; nil: it never ends, or there is none.
    func timeToLive() throws -> Duration? {
        guard let left = try server.number("PTTL", report), left >= 0 else { return nil }
        return .milliseconds(left)
    }
}

/// Runs `body` with both at a server of their own; all have ended when this returns.
func withBothSides(_ body: @Sendable (BothSides) async throws -> Void) async throws {
    try await withServer { server in
        let python = try ValkeyPy(port: server.port)
        defer { python.kill() }
        try await withValkeyStore(server.tcp) { store in
            try await body(BothSides(server: server, store: store, python: python))
        }
    }
}
