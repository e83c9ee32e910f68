// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Foundation
import Synchronization

/// How late this machine is by itself: the worst oversleep of a thread that only sleeps, while `body` runs.
///
/// What is promised in milliseconds can be asked of Baton only beyond that.
func measuringLateness<Result>(_ body: (_ worst: () -> Duration) async throws -> Result) async rethrows -> Result {
    let probe = Probe()
    defer { probe.end() }
    return try await body { probe.worst }
}

private final class Probe: Sendable {
    private let state = Mutex((worst: Duration.zero, isOver: false))
    var worst: Duration { state.withLock { $0.worst } }

    init() {
        Thread.detachNewThread { [self] in
            var last = BootClock.now()
            while !state.withLock({ $0.isOver }) {
                usleep(5000)
                let now = BootClock.now()
                let late = now - last - .milliseconds(5)
                state.withLock { $0.worst = max($0.worst, late) }
                last = now
            }
        }
    }

    func end() { state.withLock { $0.isOver = true } }
}
