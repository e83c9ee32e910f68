// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import NIOPosix
import Synchronization

/// Makes the page of metrics when somebody asks for it. Between two questions it costs nothing.
final class MetricsScrape: Sendable {
    private let context: NodeContext
    private let store: Store
    private let reloader: Reloader
    private let registration: Registration
    private let fleet = Mutex<(at: Instant, reading: NodeReading.Fleet)?>(nil)

    /// What the other nodes say is much to read: it is not asked for more often than this.
    private static let fleetAge = Duration.seconds(60)

    init(context: NodeContext, store: Store, reloader: Reloader, registration: Registration) {
        self.context = context
        self.store = store
        self.reloader = reloader
        self.registration = registration
    }

    /// The page as it is now.
    func page() async -> Bytes {
        let isUp = store.state == .connected
        let fleet = isUp ? await fleetReading() : nil
        let reload = reloader.lastReload
        var reading = NodeReading(
            version: BatonVersion.current, jobs: context.board.readings(), isLastReloadGood: reload.isGood,
            reloadedAt: reload.doneAt, isStoreUp: isUp, isWatchdogArmed: context.pulse.isArmed, fleet: fleet)
        if let time = store.locks.clock?.likelyNow {
            reading.clockOffset = .microseconds(WallClock.microseconds() - time)
        }
        if let usage = ProcessUsage.now() {
            reading.process = .init(
                cpuSeconds: usage.cpuSeconds, residentBytes: usage.residentBytes,
                openDescriptors: usage.openDescriptors, startedAt: usage.startedAt)
        }
        return MetricsPage.bytes(reading, context.metrics.sofar)
    }

    private func fleetReading() async -> NodeReading.Fleet? {
        let now = BootClock.now()
        if let last = fleet.withLock({ $0 }), now - last.at < Self.fleetAge { return last.reading }
        // Without an answer nothing is said of the fleet; the store's own metric says why.
        guard let nodes = try? await registration.nodes(notOlderThan: .seconds(5)) else { return nil }
        // Of many nodes with many jobs it is much work, which shall hold no loop up.
        let differing = try? await NIOThreadPool.singleton.runIfActive {
            Divergence(among: nodes.compactMap { NodeRecord(decoding: $0.record) }).jobs
        }
        guard let differing else { return nil }  // the process is about to end
        let reading = NodeReading.Fleet(nodes: nodes.count, differing: differing)
        fleet.withLock { $0 = (now, reading) }
        return reading
    }
}
