// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

package import BatonCore
import BatonSystem
package import Logging
import Synchronization

/// The last events of this node, and who follows them. Filled by ``EventLogHandler``, whatever the log's level is.
package final class EventLog: Sendable {
    private struct State {
        var events: [NodeEvent] = []
        var lastID: UInt64 = 0
        var followers: [EventFollower] = []
    }

    private let node: String
    private let state = Mutex(State())

    /// So many are remembered.
    package static let limit = 1000

    package init(node: String) { self.node = node }

    /// The number of the newest.
    var lastID: UInt64 { state.withLock { $0.lastID } }

    /// Something happened.
    package func add(_ kind: EventKind, _ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
        var fields: [String: String] = [:]
        for (key, value) in metadata where key != EventKind.metadataKey { fields[key] = "\(value)" }
        let followers = state.withLock { state in
            state.lastID += 1
            let event = NodeEvent(
                id: state.lastID, time: WallClock.rfc3339(milliseconds: true), node: node, event: kind.rawValue,
                level: level.rawValue, message: message, fields: fields)
            state.events.append(event)
            // Not each time: the others would have to be moved.
            if state.events.count >= 2 * Self.limit { state.events.removeFirst(state.events.count - Self.limit) }
            return state.followers.filter { $0.take(event) }
        }
        for follower in followers { follower.wake() }
    }

    /// The last events, of a job if one is given; the newest comes last.
    package func last(_ count: Int, of job: String?) -> [NodeEvent] {
        state.withLock { Self.last(count, of: job, in: $0.events) }
    }

    /// The same, and those that come from now on. To be ended by ``end(_:)``.
    package func follow(_ count: Int = 0, of job: String? = nil) -> EventFollower {
        state.withLock { state in
            let follower = EventFollower(of: job, after: Self.last(count, of: job, in: state.events))
            state.followers.append(follower)
            return follower
        }
    }

    package func end(_ follower: EventFollower) {
        state.withLock { $0.followers.removeAll { $0 === follower } }
    }

    /// How many follow, and what is kept for them: for tests.
    var followers: Int { state.withLock { $0.followers.count } }
    var kept: Int { state.withLock { $0.followers.map(\.kept).reduce(0, +) } }

    private static func last(_ count: Int, of job: String?, in events: [NodeEvent]) -> [NodeEvent] {
        let remembered = events.suffix(limit)
        return Array((job.map { job in remembered.filter { $0.job == job }[...] } ?? remembered).suffix(count))
    }
}
