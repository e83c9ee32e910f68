// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How late this machine is with what is due: what a test is told in milliseconds holds beyond that.
final class Lateness: Sendable {
    private let most = Mutex(Duration.zero)

    /// The most that was seen since `watch` began.
    var seen: Duration { most.withLock { $0 } }

    /// Watches until the task is cancelled.
    func watch() async {
        most.withLock { $0 = .zero }
        let nap = Duration.milliseconds(10)
        while !Task.isCancelled {
            let due = ContinuousClock.now + nap
            try? await Task.sleep(until: due, tolerance: .zero, clock: .continuous)  // cancelled: the loop ends
            let late = ContinuousClock.now - due
            most.withLock { $0 = max($0, late) }
        }
    }
}
