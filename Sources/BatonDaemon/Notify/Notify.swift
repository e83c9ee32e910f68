// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import CSystemd
import Dispatch
import Glibc

/// What batond tells systemd about itself (sd_notify). Without `NOTIFY_SOCKET` every call does nothing.
///
/// Calls return at once and are sent in order: systemd may be slow to read, and no loop of the daemon shall wait for it.
/// A message that can't be sent is lost without a word, as systemd would have it.
///
/// The variables stay in the environment; what a workload gets of it is the launcher's business.
package struct Notify: Sendable {
    private let queue: DispatchQueue?

    /// The connection of this process, as its environment says.
    package init() {
        queue = getenv("NOTIFY_SOCKET") == nil ? nil : DispatchQueue(label: "baton.notify")
    }

    /// Whether a service manager listens.
    package var isConnected: Bool { queue != nil }

    /// Start-up, or a reload, is complete.
    package func ready() { send("READY=1") }

    /// One line for people, shown by `systemctl status`.
    package func status(_ text: String) { send("STATUS=" + PrintableText.escaped(text)) }

    /// The daemon is alive. Only `WatchdogPulse` calls this, and only for progress.
    package func watchdog() { send("WATCHDOG=1") }

    /// A shutdown has begun.
    package func stopping() { send("STOPPING=1") }

    /// A reload has begun; `ready()` ends it.
    package func reloading() {
        send("RELOADING=1\nMONOTONIC_USEC=\(baton_monotonic_microseconds())")
    }

    /// Starting or stopping takes longer: systemd shall wait for so many microseconds from now.
    package func extendTimeout(microseconds: UInt64) { send("EXTEND_TIMEOUT_USEC=\(microseconds)") }

    /// Returns when everything said so far was sent; call it before the process ends.
    package func flush() async {
        guard let queue else { return }
        await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }

    /// How often systemd wants to hear from this process; nil when it does not watch, or watches another process.
    package static func watchdogInterval() -> Duration? {
        var microseconds: UInt64 = 0
        guard sd_watchdog_enabled(0, &microseconds) > 0, microseconds > 0 else { return nil }
        return .microseconds(Int64(clamping: microseconds))
    }

    private func send(_ message: String) {
        queue?.async { _ = sd_notify(0, message) }
    }
}
