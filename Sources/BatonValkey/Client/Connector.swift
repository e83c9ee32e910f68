// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock
import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Makes connections: socket, TLS, greeting.
struct Connector: Sendable {
    let configuration: ValkeyStore.Configuration
    let loop: any EventLoop

    /// A connection that is ready for requests, and what the server said of itself.
    ///
    /// Returns or throws within `connectTimeout`, and at once when the task is cancelled.
    func connect() async throws(LockError) -> (Connection, Greeting) {
        let deadline = NIODeadline.now() + TimeAmount(configuration.connectTimeout)
        let connection: Connection
        do {
            connection = try await open()
        } catch {
            throw LockError(connecting: error, to: configuration.peer)
        }
        do throws(LockError) {
            let commands = try Commands(Greeting.commands(configuration))
            let replies = try await withTaskCancellationHandler {
                await connection.send(commands, deadline: deadline)
            } onCancel: {
                connection.close()
            }.get()
            return (connection, try Greeting(replies, to: configuration))
        } catch {
            let reason = await connection.failure()
            connection.close()
            // A greeting changes nothing, so "unknown outcome" would be the wrong word.
            if error.code != .unknownOutcome { throw error }
            if configuration.tls, let reason, reason.code == .unreachable {
                throw LockError(.unreachable, "\(reason.message) (is it a TLS port?)")
            }
            if let reason { throw reason }
            let hint = configuration.tls ? " (is it a TLS port?)" : ""
            throw LockError(.unreachable, "\(configuration.peer) accepted the connection and then said nothing\(hint)")
        }
    }

    private func open() async throws -> Connection {
        let tls = try configuration.tls ? context() : nil
        let (loop, peer) = (loop, configuration.peer)
        let patience = TimeAmount(configuration.requestTimeout)
        let redacted = configuration.redacted
        var bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelInitializer { [address = configuration.address] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls, case .tcp(let host, _) = address {
                        try pipeline.addHandler(Self.tlsHandler(tls, host: host))
                    }
                    try pipeline.addHandler(ReplyHandler(peer: peer, patience: patience, redacted: redacted))
                }
            }
        if case .tcp = configuration.address {
            // Keep-alive probes find a peer that vanished while nothing is asked of it: the subscription's only chance.
            bootstrap =
                bootstrap
                .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                .channelOption(.socketOption(.so_keepalive), value: 1)
                .channelOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 5)
                .channelOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 2)
                .channelOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 3)
        }
        let connecting =
            switch configuration.address {
            case .tcp(let host, let port): bootstrap.connect(host: host, port: port)
            case .unixSocket(let path): bootstrap.connect(unixDomainSocketPath: path)
            }
        return try await cancellable(
            connecting.flatMapThrowing { channel in
                let handler = try channel.pipeline.syncOperations.handler(type: ReplyHandler.self)
                return Connection(channel: channel, handler: NIOLoopBound(handler, eventLoop: loop))
            })
    }

    /// Waits for a connection no longer than the task lives; one that comes later is closed.
    private func cancellable(_ opening: EventLoopFuture<Connection>) async throws -> Connection {
        let promise = loop.makePromise(of: Connection.self)
        opening.cascade(to: promise)
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            opening.whenSuccess { $0.close() }
        }
    }

    private func context() throws -> NIOSSLContext {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.caFile { tls.trustRoots = .file(file) }
        do {
            return try NIOSSLContext(configuration: tls)
        } catch {
            let source = configuration.caFile ?? "the system's certificates"
            throw LockError(.invalidArgument, "cannot use \(source) to verify the store: \(printable("\(error)"))")
        }
    }

    private static func tlsHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        // An address is not sent as a server name; the certificate must then name the address itself.
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}

/// One connection, for those outside its event loop.
struct Connection: Sendable {
    let channel: any Channel
    let handler: NIOLoopBound<ReplyHandler>

    /// Sends commands and waits for their replies until `deadline`.
    func send(_ commands: Commands, deadline: NIODeadline) async -> Result<[Reply], LockError> {
        await withCheckedContinuation { continuation in
            channel.eventLoop.execute {
                let transmission = Transmission(commands, deadline: deadline, continuation: continuation)
                if handler.value.send(transmission) { return }
                transmission.finish(.failure(handler.value.failure ?? .storeClosed))
            }
        }
    }

    /// Why the connection ended; nil while it has not.
    func failure() async -> LockError? {
        try? await channel.eventLoop.submit { handler.value.failure }.get()  // the closure cannot fail
    }

    /// Ends it. Closing what is closed does nothing.
    func close() { channel.close(promise: nil) }

    /// Returns when the connection has ended, with the reason; ends it when the task is cancelled.
    func closed() async -> LockError {
        try? await withTaskCancellationHandler {
            try await channel.closeFuture.get()  // an error of closing is an end, too
        } onCancel: {
            close()
        }
        return await failure() ?? LockError(.unreachable, "the connection was closed")
    }
}
