// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Logging
import NIOPosix
import Synchronization

/// The page of metrics in a file, for the textfile collector of Prometheus' node exporter: written anew every 15 s, gone
/// after an orderly stop. One that is there and old is that of a batond that was killed, or hangs.
final class MetricsFile: Sendable {
    private let path: String
    private let scrape: MetricsScrape
    private let logger: Logger
    private let trouble = Mutex<String?>(nil)

    private static let interval = Duration.seconds(15)
    /// The folder may be on a disk, or a server, that hangs: that takes no other thread's place. Never ended.
    private static let pool: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        return pool
    }()

    init(_ path: String, scrape: MetricsScrape, logger: Logger) {
        self.path = path
        self.scrape = scrape
        self.logger = logger
    }

    /// For `status`.
    var warnings: [String] { trouble.withLock { $0 }.map { ["metrics are not written: \($0)"] } ?? [] }

    /// Writes until the task is cancelled.
    func keep() async {
        while !Task.isCancelled {
            await write()
            try? await BootClock.sleep(until: BootClock.now() + Self.interval)  // ended early: cancelled
        }
        // What is there and was not written by this daemon, because it could not be, stays.
        if warnings.isEmpty { Files.remove(path) }
    }

    private func write() async {
        let page = await scrape.page()
        var reason: String?
        do {
            try await Self.pool.runIfActive { [path] in try Files.write(path, page, mode: 0o644) }
        } catch {
            reason = "\(error)"
        }
        let last = trouble.withLock { trouble in
            defer { trouble = reason }
            return trouble
        }
        guard last != reason else { return }
        if let reason {
            logger.warning("metrics are not written, and are tried again", metadata: ["reason": "\(reason)"])
        } else {
            logger.notice("metrics are written again", metadata: ["path": "\(path)"])
        }
    }
}
