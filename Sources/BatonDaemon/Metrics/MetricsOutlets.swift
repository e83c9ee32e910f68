// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import Logging

/// Where a node's metrics can be had, as its file says: maybe nowhere.
struct MetricsOutlets: Sendable {
    private let server: MetricsServer?
    private let file: MetricsFile?

    /// - Parameter viewers: the group whose members may look at the node.
    init(
        _ settings: MetricsSettings, scrape: MetricsScrape, health: NodeHealth, viewers: ControlAccess.Group?,
        logger: Logger
    ) {
        server = settings.listen.map {
            MetricsServer($0, scrape: scrape, health: health, group: viewers?.id, logger: logger)
        }
        file = settings.textfile.map { MetricsFile($0, scrape: scrape, logger: logger) }
    }

    /// For `status`.
    var warnings: [String] { (server?.warnings ?? []) + (file?.warnings ?? []) }

    /// Until the task is cancelled; returns at once when there are none.
    func run() async {
        await withDiscardingTaskGroup { group in
            if let server { group.addTask { await server.serve() } }
            if let file { group.addTask { await file.keep() } }
        }
    }
}
