// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import Glibc
import Hummingbird
package import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// The control socket: HTTP and JSON on a Unix socket, for `batonctl` and scripts.
///
/// Guarantees: whoever connects is identified by the kernel (`SO_PEERCRED`, `SO_PEERGROUPS`), not by what it says, and
/// gets what `ControlAccess` gives it; the socket's mode and access control list keep everybody else out. It does not guard against another daemon in the same runtime directory: hold the
/// directory's flock before running it.
package struct ControlServer: Service {
    private let backend: any ControlBackend
    private let socket: ControlSocketFile
    private let access: ControlAccess
    private let logger: Logger
    private let onListening: @Sendable () async -> Void

    /// How long requests in progress may go on after a graceful shutdown began.
    private static let shutdownGrace = Duration.seconds(2)
    /// A connection that says nothing for so long is closed, and there are never more than so many.
    private static let idleLimit = TimeAmount.seconds(30)
    private static let connectionLimit = 128

    /// A server for the socket at `path`, an absolute path of at most 107 bytes in a folder that exists.
    ///
    /// `onListening` is called once, when clients can connect: from then on the daemon may say that it is ready.
    package init(
        path: String, backend: any ControlBackend, access: ControlAccess, logger: Logger,
        onListening: @escaping @Sendable () async -> Void = {}
    ) throws(ControlSocketError) {
        self.backend = backend
        self.access = access
        self.logger = logger
        self.onListening = onListening
        socket = try ControlSocketFile(path: path)
    }

    /// Serves until a graceful shutdown or cancellation, then removes the socket.
    ///
    /// - Throws: `ControlSocketError` when the socket can't be bound or put into place. A client that misbehaves never
    ///   ends the server.
    package func run() async throws {
        let outcome = Outcome()
        let application = application(outcome)
        defer { socket.remove() }
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await application.run() }
                group.addTask {
                    try await gracefulShutdown()
                    try await Task.sleep(for: Self.shutdownGrace)
                }
                try await group.next()
                group.cancelAll()
            }
        } catch let error as IOError {
            throw ControlSocketError(
                description: "can't listen on \(socket.path): \(String(cString: strerror(error.errnoCode)))")
        } catch {
            throw outcome.failure.withLock { $0 } ?? error
        }
    }

    /// Serves until it can't, or the task is cancelled; then whoever is connected is served until the process ends, and
    /// nobody new finds the socket.
    ///
    /// A server that is itself cancelled does not bear those who connect at that moment: NIO ends the process.
    func serve() async throws {
        let (failures, inlet) = AsyncStream.makeStream(of: (any Error).self)
        // Not a child of this task: it goes on after it.
        Task {
            do { try await run() } catch { inlet.yield(error) }
            inlet.finish()
        }
        defer { socket.remove() }
        for await failure in failures { throw failure }
    }

    /// Why the socket could not be put into place, from the callback that found out.
    private final class Outcome: Sendable {
        let failure = Mutex<ControlSocketError?>(nil)
    }

    private func application(_ outcome: Outcome) -> some ApplicationProtocol {
        // Hummingbird tells of each start and, as an error, of each end; Baton says what matters itself.
        var frameworkLogger = logger
        frameworkLogger.logLevel = .critical
        return Application(
            router: ControlRoutes(
                backend: backend, gate: ControlGate(access: access, logger: logger), logger: logger
            ).router(),
            server: .http1(
                configuration: .init(
                    idleTimeout: Self.idleLimit,
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 8192, maxHeaderListSize: 16384, maxHeaderFieldCount: 64))),
            configuration: ApplicationConfiguration(
                address: .unixDomainSocket(path: socket.temporaryPath),
                availableConnectionsDelegate: .maximum(Self.connectionLimit, logger: frameworkLogger)),
            onServerRunning: { [socket, access, logger, onListening] channel in
                do throws(ControlSocketError) {
                    try socket.publish(for: access, logger: logger)
                } catch {
                    outcome.failure.withLock { $0 = error }
                    channel.close(promise: nil)
                    return
                }
                logger.debug("control socket listens", metadata: ["path": "\(socket.path)"])
                await onListening()
            },
            logger: frameworkLogger)
    }
}
