// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonLock
import BatonSystem
import Synchronization

/// Somebody who is told of each event. Who does not listen misses the oldest, and is told how many.
package final class EventFollower: Sendable {
    private struct Buffer {
        var events: [NodeEvent]
        var dropped = 0
    }

    private let job: String?
    private let buffer: Mutex<Buffer>
    private let bell = Doorbell()

    /// So many are kept for somebody who does not listen.
    package static let limit = 1000

    /// - Parameters:
    ///   - job: the only one of interest; nil: everything.
    ///   - events: what is told first.
    init(of job: String?, after events: [NodeEvent]) {
        self.job = job
        buffer = Mutex(Buffer(events: events))
    }

    /// False: it is of no interest.
    func take(_ event: NodeEvent) -> Bool {
        if let job, event.job != job { return false }
        buffer.withLock { buffer in
            if buffer.events.count >= Self.limit {
                buffer.events.removeFirst()
                buffer.dropped += 1
            }
            buffer.events.append(event)
        }
        return true
    }

    var kept: Int { buffer.withLock { $0.events.count } }

    func wake() { bell.ring() }

    /// What there is to tell, once there is something: how many are missing, then those that came after them. Empty when
    /// nothing came until then, or the task was cancelled. One listener at a time.
    package func next(until deadline: Instant) async -> (dropped: Int, events: [NodeEvent]) {
        while true {
            if let news = takeAll() { return news }
            if Task.isCancelled || BootClock.now() >= deadline { return (0, []) }
            await bell.wait(until: deadline)
        }
    }

    private func takeAll() -> (dropped: Int, events: [NodeEvent])? {
        buffer.withLock { buffer in
            if buffer.events.isEmpty { return nil }
            defer { buffer = Buffer(events: []) }
            return (buffer.dropped, buffer.events)
        }
    }
}
