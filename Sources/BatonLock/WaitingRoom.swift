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

    private struct Line {
        /// In the order in which they came; the first has the turn.
        var waiters: [Doorbell]
        /// What the first one was told last.
        var news: Waiting?
    }
    private let lines = Mutex<[Subject: Line]>([:])

    /// An empty room.
    public init() {}

    /// Runs `body` when it is the caller's turn: alone among those who wait for the same.
    ///
    /// - Parameter news: told, when the time is up, what the others were told meanwhile.
    /// - Returns: nil when `deadline` came before the turn.
    /// - Throws: what `body` throws; `CancellationError`.
    func withTurn<Result: Sendable>(
        for subject: Subject, until deadline: Instant?, news: (Waiting) -> Void, _ body: () async throws -> Result
    ) async throws -> Result? {
        let bell = Doorbell()
        lines.withLock { $0[subject, default: Line(waiters: [])].waiters.append(bell) }
        defer { leave(subject, bell) }
        while !isFirst(bell, for: subject) {
            if let deadline, BootClock.now() >= deadline {
                if let last = lines.withLock({ $0[subject]?.news }) { news(last) }
                return nil
            }
            await bell.wait(until: deadline ?? .distantFuture)
            try Task.checkCancellation()
        }
        return try await body()
    }

    /// For those who stand in the line: how it stands with the store.
    func announce(_ news: Waiting, to subject: Subject) {
        lines.withLock { $0[subject]?.news = news }
    }

    private func isFirst(_ bell: Doorbell, for subject: Subject) -> Bool {
        lines.withLock { $0[subject]?.waiters.first === bell }
    }

    private func leave(_ subject: Subject, _ bell: Doorbell) {
        let next = lines.withLock { lines -> Doorbell? in
            guard let place = lines[subject]?.waiters.firstIndex(where: { $0 === bell }) else { return nil }
            lines[subject]?.waiters.remove(at: place)
            guard let first = lines[subject]?.waiters.first else {
                lines[subject] = nil
                return nil
            }
            return place == 0 ? first : nil
        }
        next?.ring()
    }
}
