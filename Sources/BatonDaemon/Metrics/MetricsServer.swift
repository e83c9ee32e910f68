// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Glibc
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Synchronization

/// Metrics, and whether the node is well, over HTTP: `/metrics`, `/healthz`, `/readyz`, and nothing else.
///
/// An address that can't be had keeps no job from running: it is tried again, and `status` says so.
final class MetricsServer: Sendable {
    private let address: MetricsAddress
    private let scrape: MetricsScrape
    private let health: NodeHealth
    /// Whose members may connect to a socket; nil: those of the daemon's group.
    private let group: UInt32?
    private let logger: Logger
    /// Why nobody is served.
    private let trouble = Mutex<String?>(nil)
    /// The socket at its place is this server's.
    private let isPublished = Atomic<Bool>(false)

    private static let retryDelay = Duration.seconds(10)
    private static let idleLimit = TimeAmount.seconds(30)
    private static let connectionLimit = 32

    init(_ address: MetricsAddress, scrape: MetricsScrape, health: NodeHealth, group: UInt32?, logger: Logger) {
        self.address = address
        self.scrape = scrape
        self.health = health
        self.group = group
        self.logger = logger
    }

    /// For `status`.
    var warnings: [String] {
        trouble.withLock { $0 }.map { ["metrics are not served on \(address): \($0)"] } ?? []
    }

    /// Serves until the task is cancelled; then whoever is connected is served until the process ends.
    func serve() async {
        // Not a child of this task: it goes on after it, as that of the control socket does, for the same reason.
        Task { await listen() }
        defer { if isPublished.load(ordering: .acquiring) { file?.remove() } }
        try? await Task.sleep(for: .seconds(Int64(1) << 32))  // until cancelled
    }

    private var file: MetricsSocketFile? {
        if case .unixSocket(let path) = address { MetricsSocketFile(path: path) } else { nil }
    }

    private func listen() async {
        while true {
            do {
                try file?.prepare()
                try await application().run()
            } catch {
                failed(Self.reason(of: error))
            }
            try? await Task.sleep(for: Self.retryDelay)  // nobody cancels it
        }
    }

    private func failed(_ reason: String) {
        let isNew = trouble.withLock { trouble in
            defer { trouble = reason }
            return trouble != reason
        }
        guard isNew else { return }
        logger.warning(
            "metrics are not served: the address can't be had, and is tried again every 10 s",
            metadata: ["address": "\(address)", "reason": "\(reason)"])
    }

    private func isUp() {
        trouble.withLock { $0 = nil }
        logger.notice("metrics are served", metadata: ["address": "\(address)"])
    }

    private static func reason(of error: any Error) -> String {
        (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
    }

    // MARK: HTTP

    private func application() -> some ApplicationProtocol {
        // As for the control socket: Baton says itself what matters.
        var frameworkLogger = logger
        frameworkLogger.logLevel = .critical
        let bound: BindAddress
        switch address {
        case .tcp(let host, let port): bound = .hostname(host, port: port)
        case .unixSocket: bound = .unixDomainSocket(path: file?.temporaryPath ?? "")
        }
        return Application(
            router: router(),
            server: .http1(
                configuration: .init(
                    idleTimeout: Self.idleLimit,
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: 8192, maxHeaderListSize: 16384, maxHeaderFieldCount: 64))),
            configuration: ApplicationConfiguration(
                address: bound,
                availableConnectionsDelegate: .maximum(Self.connectionLimit, logger: frameworkLogger)),
            onServerRunning: { [self] channel in
                do throws(SystemError) {
                    try file?.publish(group: group)
                    isPublished.store(true, ordering: .releasing)
                    isUp()
                } catch {
                    failed("\(error)")
                    channel.close(promise: nil)
                }
            },
            logger: frameworkLogger)
    }

    private func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("metrics") { [scrape] _, _ in
            let page = await scrape.page()
            return Response(
                status: .ok, headers: [.contentType: Exposition.contentType, .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: page)))
        }
        router.get("healthz") { [health] _, _ in Self.verdict(health.illness) }
        router.get("readyz") { [health] _, _ in Self.verdict(health.obstacle) }
        return router
    }

    /// - Parameter reason: why not; nil: all is well.
    private static func verdict(_ reason: String?) -> Response {
        // Reasons may have words of a server in them.
        let text = reason.map { PrintableText.escaped($0) } ?? "ok"
        return Response(
            status: reason == nil ? .ok : .serviceUnavailable,
            headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text + "\n")))
    }
}
