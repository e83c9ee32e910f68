// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Keeps a child from staying a zombie, whether or not anybody still cares about it.
final class ChildReaper: Sendable {
    private let process: PidFd
    private let reactor: Reactor
    private let watch = Mutex<Reactor.Watch?>(nil)

    private init(process: PidFd, reactor: Reactor) {
        self.process = process
        self.reactor = reactor
    }

    /// Waits for the child with this pid on the reactor's thread.
    static func start(_ pid: Int32, _ reactor: Reactor) throws(SystemError) {
        let reaper = ChildReaper(process: try PidFd(of: pid), reactor: reactor)
        let watch = try reactor.watch(reaper.process.descriptor) { _ in reaper.ended() }
        reaper.watch.withLock { $0 = watch }
    }

    private func ended() {
        process.reap()
        // Not there yet when the child was quicker than `start`: the descriptor is still ready, so this is called again.
        guard let watch = watch.withLock({ $0 }) else { return }
        reactor.forget(watch) { _ = self }
    }
}
