// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
package import Logging
import ServiceLifecycle
import Synchronization

/// Tells systemd's watchdog that the daemon is alive, as long as all of its loops are.
///
/// Several times in each watchdog interval it *asks* every watched loop for a sign (`ask` posts an event into the loop's
/// own mailbox), and pings only if the answers came: what `ProgressMachine` decides. A loop that hangs makes it fall
/// silent, and systemd ends the daemon one watchdog interval later: 1.2 intervals after the hang at the latest.
package final class WatchdogPulse: Service {
    private struct State {
        var machine = ProgressMachine()
        var asks: [String: @Sendable () -> Void] = [:]
        var stalled: Set<String> = []
    }

    private let state = Mutex(State())
    private let notify: Notify
    private let interval: Duration?
    /// Whether systemd watches.
    let isArmed: Bool
    private let logger: Logger

    /// How often it looks in a watchdog interval, and how many looks a loop may leave unanswered. A loop that is only
    /// slow is forgiven: one look that finds all loops alive is enough for another interval.
    private static let looksPerInterval = 10
    private static let unansweredLooks = 2

    /// A pulse for this interval; nil: systemd does not watch.
    ///
    /// - Parameter otherwise: the interval by which loops are judged when systemd does not watch; nil: then they are
    ///   neither asked nor judged.
    package init(notify: Notify, interval: Duration?, otherwise: Duration? = nil, logger: Logger) {
        self.notify = notify
        self.interval = interval ?? otherwise
        isArmed = interval != nil
        self.logger = logger
    }

    /// Watches a loop from now on. `ask` is called from another task and returns at once; the loop answers by
    /// `progressed`. While it is silent for longer than a fifth of the watchdog interval, there are no pings.
    package func watch(_ loop: String, ask: @escaping @Sendable () -> Void) {
        guard let interval else { return }
        let now = BootClock.now()
        state.withLock {
            $0.machine.watch(loop, allowedSilence: interval / Self.looksPerInterval * Self.unansweredLooks, at: now)
            $0.asks[loop] = ask
        }
    }

    /// A loop got somewhere.
    package func progressed(_ loop: String) {
        guard interval != nil else { return }
        let now = BootClock.now()
        state.withLock { $0.machine.progressed(loop, at: now) }
    }

    /// The loop ended in an orderly way.
    package func forget(_ loop: String) {
        state.withLock {
            $0.machine.forget(loop)
            $0.asks[loop] = nil
        }
    }

    /// The loops that are silent for too long, in the order of their names.
    var stalledLoops: [String] {
        let now = BootClock.now()
        return state.withLock { $0.machine.stalledLoops(at: now) }
    }

    /// Pings until a graceful shutdown or cancellation. Give it to the service group before the loops it watches: then it
    /// goes on while they drain.
    package func run() async throws {
        guard let interval else {
            try? await gracefulShutdown()  // Cancellation ends the wait as well, and is no failure.
            return
        }
        try? await cancelWhenGracefulShutdown {
            while true {
                self.look()
                try await Task.sleep(for: interval / Self.looksPerInterval, clock: .continuous)
            }
        }
    }

    private func look() {
        let now = BootClock.now()
        let (ping, stalled, asks) = state.withLock { state in
            let overdue = Set(state.machine.stalledLoops(at: now))
            let new = overdue.subtracting(state.stalled)
            state.stalled = overdue
            return (state.machine.shouldPing(at: now), new, Array(state.asks.values))
        }
        if ping, isArmed { notify.watchdog() }
        let message: Logger.Message =
            isArmed ? "loop makes no progress, systemd's watchdog is not pinged" : "loop makes no progress"
        for loop in stalled.sorted() {
            logger.log(level: .error, message, event: .loopStalled, metadata: ["loop": "\(loop)"])
        }
        for ask in asks { ask() }
    }
}
