// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonLock

/// Whether this batond is well, and whether it is of use: for whoever restarts it, or waits for it.
struct NodeHealth: Sendable {
    let pulse: WatchdogPulse
    let store: Store
    let reloader: Reloader
    let board: JobBoard

    /// Why it is not alive, as systemd's watchdog sees it; nil: it is.
    var illness: String? {
        let stalled = pulse.stalledLoops
        if stalled.isEmpty { return nil }
        let named = stalled.prefix(3).joined(separator: ", ") + (stalled.count > 3 ? ", …" : "")
        return "no progress: \(named)"
    }

    /// Why it is not ready; nil: its files are loaded, it can be asked and told things, and the store answers.
    var obstacle: String? {
        if !reloader.isUp { return "starting: the control socket does not listen yet" }
        if board.isDraining { return "stopping" }
        return store.state == .connected ? nil : "store \(store.state)"
    }
}
