// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Wakes a thread that waits in `poll`.
final class ThreadBell: Sendable {
    /// Readable while the bell has been rung.
    let descriptor: Int32
    private let other: Int32

    init() {
        var pair: [Int32] = [-1, -1]
        socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
        (descriptor, other) = (pair[0], pair[1])
    }

    deinit {
        close(descriptor)
        close(other)
    }

    func ring() {
        var byte: UInt8 = 0
        send(other, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
    }

    func silence() {
        var bytes = [UInt8](repeating: 0, count: 256)
        while recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT)) > 0 {}
    }
}
