// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// The thread of a ``FaultProxy``: waits for bytes, for time to pass, and for the test.
struct ProxyLoop {
    private let proxy: FaultProxy
    private let server: String

    init(_ proxy: FaultProxy, server: String) {
        self.proxy = proxy
        self.server = server
    }

    /// Returns when the proxy is to end; its connections have ended then.
    func run() {
        var connections: [ProxyConnection] = []
        while true {
            var polled = [
                pollfd(fd: proxy.listener.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: proxy.bell.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            polled += connections.flatMap(\.interests)
            let wake = connections.compactMap(\.wakeAt).min()
            let left = wake.map { max($0 - ContinuousClock.now, .zero) }
            let limit = left.map { Int32($0 / .milliseconds(1)) + 1 } ?? -1
            if poll(&polled, nfds_t(polled.count), limit) < 0 { continue }

            proxy.bell.silence()
            let orders = proxy.state.withLock { state in
                defer { state.cut = nil }
                return (isEnding: state.isEnding, cut: state.cut, isRefusing: state.isRefusing)
            }
            if orders.isEnding { break }
            for connection in connections {
                connection.read()
                if let cut = orders.cut { connection.end(cut) }
                connection.act()
            }
            if polled[0].revents != 0, let connection = accepted(isRefusing: orders.isRefusing) {
                connections.append(connection)
            }
            connections.removeAll { $0.isOver }
            let wasIdle = polled.dropFirst(2).allSatisfy { $0.revents & Int16(POLLIN) == 0 }
            let isQuiet = wasIdle && connections.allSatisfy { !$0.isBusy }
            proxy.state.withLock { $0.isQuiet = isQuiet }
        }
        for connection in connections { connection.close() }
    }

    private func accepted(isRefusing: Bool) -> ProxyConnection? {
        let client = accept(proxy.listener.descriptor, nil, nil)
        guard client >= 0 else { return nil }
        guard !isRefusing, let server = connected() else {
            close(client)
            return nil
        }
        var on: Int32 = 1
        setsockopt(client, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        // A client that does not read must not keep the thread: longer than that nobody is patient.
        var limit = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        return ProxyConnection(proxy, client: client, server: server)
    }

    private func connected() -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: server.utf8.prefix(107)) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return descriptor }
        close(descriptor)
        return nil
    }
}
