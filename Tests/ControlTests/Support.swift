// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonDaemon
import BatonTestSupport
import Foundation
import Glibc
import Logging
import ServiceLifecycle
import Testing

/// A folder of its own for the body, short enough for sockets in it, gone afterwards.
func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
    let path = "/tmp/baton-c-" + UUID().uuidString.prefix(8)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

/// A control server that listens while the body runs, and is shut down gracefully after it.
func withServer<T: Sendable>(
    _ backend: FakeBackend = FakeBackend(), path: String? = nil,
    access: ControlAccess = ControlAccess(operators: nil, logger: quietLogger), logger: Logger = quietLogger,
    _ body: (String) async throws -> T
) async throws -> T {
    try await withFolder { folder async throws in
        let path = path ?? folder + "/control.sock"
        let (listening, signal) = AsyncStream<Void>.makeStream()
        let server = try ControlServer(
            path: path, backend: backend, access: access, logger: logger, onListening: { signal.finish() })
        let group = ServiceGroup(services: [server], logger: quietLogger)
        async let running: Void = group.run()
        for await _ in listening {}
        let result: T
        do {
            result = try await body(path)
        } catch {
            await group.triggerGracefulShutdown()
            try await running
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running
        #expect(Glibc.access(path, F_OK) != 0, "the socket is gone after a shutdown")
        return result
    }
}

let quietLogger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// What a program did.
struct Finished: Equatable {
    var code: Int32
    var out: String
    var error: String
}

/// A program of this build, beside the test binary.
func built(_ name: String) throws -> String {
    let folder = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let candidates = [folder, CommandLine.arguments[0]].map {
        URL(fileURLWithPath: $0).deletingLastPathComponent().appendingPathComponent(name).path
    }
    return try #require(
        candidates.first { FileManager.default.isExecutableFile(atPath: $0) }, "\(name) is not built: \(candidates)")
}

/// Runs a program to its end, with this environment and nothing else but PATH.
func run(
    _ program: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
) async throws -> Finished {
    // What sanitizers are told (.ci/sanitize) is for every program.
    let kept: Set = ["ASAN_OPTIONS", "LD_PRELOAD", "TSAN_OPTIONS"]
    var clean = ProcessInfo.processInfo.environment.filter { kept.contains($0.key) }
    clean["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    let (code, out, error) = try await BatonTestSupport.run(
        program, arguments, environment: clean.merging(environment) { _, new in new }, input: input)
    return Finished(code: code, out: out, error: error)
}

/// `batonctl`, as an operator would call it.
func batonctl(_ arguments: String..., socket: String? = nil) async throws -> Finished {
    try await run(
        try built("batonctl"), arguments, environment: socket.map { ["BATON_SOCKET": $0] } ?? [:])
}

/// A connection to the Unix socket at `path`.
func connected(to path: String) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    guard result == 0 else { throw NotConnected.closing(descriptor) }
    return descriptor
}

/// Nobody listens there.
struct NotConnected: Error {
    let reason: String

    fileprivate static func closing(_ descriptor: Int32) -> NotConnected {
        defer { close(descriptor) }
        return NotConnected(reason: String(cString: strerror(errno)))
    }
}

/// A connection to a port on loopback.
func connected(toPort port: Int) throws -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
    address.sin_port = in_port_t(port).bigEndian
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard result == 0 else { throw NotConnected.closing(descriptor) }
    return descriptor
}

/// One HTTP exchange, word for word: the status and the body of the answer.
func exchange(_ path: String, _ head: String, body: String = "") async throws -> (status: Int, body: String) {
    let answer = try await exchange(head, body: body) { try connected(to: path) }
    return (answer.status, answer.body)
}

/// What a port on loopback answers.
func fetch(
    _ port: Int, _ path: String, _ method: String = "GET"
) async throws -> (status: Int, head: String, body: String) {
    try await exchange("\(method) \(path)", body: "") { try connected(toPort: port) }
}

/// On a thread of its own: the server's handlers need the threads of the tests, of which there may be two.
private func exchange(
    _ head: String, body: String, over connection: @escaping @Sendable () throws -> Int32
) async throws -> (status: Int, head: String, body: String) {
    let text = try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<String, any Error>) in
        Thread.detachNewThread {
            continuation.resume(with: Result { try exchangeBlocking(try connection(), head, body: body) })
        }
    }
    let status = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) }, "\(text)")
    guard let end = text.range(of: "\r\n\r\n") else { return (status, text, "") }
    return (status, String(text[..<end.upperBound]), String(text[end.upperBound...]))
}

private func exchangeBlocking(_ descriptor: Int32, _ head: String, body: String) throws -> String {
    let connection = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let fields = "Host: baton\r\nConnection: close\r\nContent-Length: \(body.utf8.count)"
    try connection.write(contentsOf: Data("\(head) HTTP/1.1\r\n\(fields)\r\n\r\n\(body)".utf8))
    return String(decoding: try connection.readToEnd() ?? Data(), as: UTF8.self)
}

/// Writes a whole file.
func writeFile(_ path: String, _ text: String = "") throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
}
