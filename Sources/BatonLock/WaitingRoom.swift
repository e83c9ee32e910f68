// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

/// Where the tasks of a process wait for the locks of one store: in a line for each lock, of which only the first asks.
///
/// A thousand waiting tasks so cost the server one waiter. Tasks with another `sleep` stand in a line of their own: what
/// they were promised is how soon they notice a release that nobody announced. A line is first come, first served.
///
/// Every ``LockStore`` has one of its own for its life.
public final class WaitingRoom: Sendable {
    /// What a line waits for.
    struct Subject: Hashable {
        var lock: Bytes
        var sleep: Duration?
    }

    /// One task's place in a line.
    package final class Place: Sendable {
        let subject: Subject
        /// Rings when it may be the first.
        fileprivate let bell = Doorbell()

        fileprivate init(_ subject: Subject) { self.subject = subject }
    }

    private struct Line {
        /// In the order in which they came; the first has the turn.
        var places: [Place] = []
        /// What the first one was told last.
        var news: Waiting?
    }
    private let lines = Mutex<[Subject: Line]>([:])

    /// An empty room.
    public init() {}

    /// How many tasks stand in lines.
    package var count: Int { lines.withLock { $0.values.reduce(0) { $0 + $1.places.count } } }

    /// How many lines have a first that asked, and was told to wait.
    package var informedLines: Int { lines.withLock { $0.values.count { $0.news != nil } } }

    /// Stands at the end of the line. To be left in any case.
    func enter(_ subject: Subject) -> Place {
        let place = Place(subject)
        lines.withLock { $0[subject, default: Line()].places.append(place) }
        return place
    }

    /// Waits until the place is the first of its line; false when `deadline` came before.
    ///
    /// - Throws: `CancellationError`.
    func turn(of place: Place, until deadline: Instant?) async throws -> Bool {
        while !isFirst(place) {
            if let deadline, BootClock.now() >= deadline { return false }
            await place.bell.wait(until: deadline ?? .distantFuture)
            try Task.checkCancellation()
        }
        return true
    }

    // Not inlined, here and elsewhere in waits: what it uses would be kept in each waiting task's frame.
    @inline(never)
    private func isFirst(_ place: Place) -> Bool {
        lines.withLock { $0[place.subject]?.places.first === place }
    }

    /// Tells the others in the line how it stands.
    func tell(_ news: Waiting, to place: Place) {
        lines.withLock { $0[place.subject]?.news = news }
    }

    /// What the first of its line was told last; nil: nothing yet.
    func news(for place: Place) -> Waiting? {
        lines.withLock { $0[place.subject]?.news }
    }

    /// Gives the place up; the next one may be the first now.
    func leave(_ place: Place) {
        let next = lines.withLock { lines -> Place? in
            guard let index = lines[place.subject]?.places.firstIndex(where: { $0 === place }) else { return nil }
            lines[place.subject]?.places.remove(at: index)
            guard let first = lines[place.subject]?.places.first else {
                lines[place.subject] = nil
                return nil
            }
            return index == 0 ? first : nil
        }
        next?.bell.ring()
    }
}
