// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Synchronization

@testable import BatonTestSupport

/// The test plays systemd: what a daemon says to `NOTIFY_SOCKET`, in order.
final class NotifySocket: Sendable {
    let path: String
    private let descriptor: Int32
    private let heard = Mutex<[String]>([])

    init(path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8) + [0]) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if bound != 0 { throw TestFailure("no notify socket at \(path): \(errno)") }
    }

    deinit { close(descriptor) }

    /// Everything said so far but the status line.
    func messages() -> [String] {
        heard.withLock { heard in
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { return heard.filter { !$0.hasPrefix("STATUS=") } }
                heard.append(String(decoding: buffer[..<count], as: UTF8.self))
            }
        }
    }

    /// Waits until so many messages have come.
    func messages(_ count: Int, within limit: Duration = .seconds(10)) async throws -> [String] {
        let deadline = BootClock.now() + limit
        while BootClock.now() < deadline {
            let found = messages()
            if found.count >= count { return found }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw TestFailure("waited in vain for \(count) messages: \(messages())")
    }
}
