// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

@testable import BatonValkey

/// A blocking connection to a server, for what a test does behind the store's back.
final class RawConnection {
    private let descriptor: Int32
    private var reader = ReplyReader()

    init(socket path: String) throws {
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(107)) }
        var limit = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result != 0 { throw TestFailure("cannot connect to \(path): errno \(errno)") }
    }

    deinit { close(descriptor) }

    func ask(_ command: String...) throws -> Reply { try ask(command.map { Array($0.utf8) }) }

    func ask(_ command: [[UInt8]]) throws -> Reply {
        try send(command)
        return try read()
    }

    /// Without waiting for the answer.
    func send(_ command: [[UInt8]]) throws {
        var words = Command()
        for word in command { words.append(word) }
        var bytes: [UInt8] = []
        guard words.format({ bytes += $0 }) else { throw TestFailure("a command that cannot be written") }
        guard write(descriptor, bytes, bytes.count) == bytes.count else { throw TestFailure("write: errno \(errno)") }
    }

    func read() throws -> Reply {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            if let reply = try reader.next() { return reply }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count <= 0 { throw TestFailure("no reply: errno \(errno)") }
            try buffer[..<count].withUnsafeBytes { try reader.feed($0) }
        }
    }
}

/// A loopback port that nobody uses now, and that neither this process nor a client's socket will be given later.
func freePort() throws -> Int {
    // Below the range from which the kernel serves clients.
    for _ in 0..<1000 {
        let port = nextPort.withLock { next in
            next = next == 29_999 ? 10_000 : next + 1
            return next
        }
        if (try? LoopbackListener(port: port)) != nil { return port }
    }
    throw TestFailure("no free port")
}

private let nextPort = Mutex(10_000 + Int(getpid()) * 211 % 20_000)

/// A listening TCP socket on a port of the kernel's choice, or a given one.
final class LoopbackListener: Sendable {
    let descriptor: Int32
    let port: Int

    init(port wanted: Int = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = in_port_t(UInt16(wanted).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 16) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        if !isBound {
            throw TestFailure("cannot listen: errno \(errno)")
        }
    }

    deinit { close(descriptor) }
}
