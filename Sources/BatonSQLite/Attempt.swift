// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonLock
import BatonSystem
import Synchronization

/// One request on its way through the database's thread: answered once, by that thread or by its time limit.
final class Attempt: TimedRequest {
    private enum Phase { case queued, running, over }

    private let phase = Mutex(Phase.queued)
    private let path: String
    private let timeout: Duration
    private let body: @Sendable (_ end: Instant) -> () -> Void
    private let fail: @Sendable (LockError) -> Void
    let end: Instant

    /// - Parameters:
    ///   - body: carries the request out, and returns what tells the answer.
    ///   - fail: tells that there is none.
    init(
        path: String, timeout: Duration, _ body: @escaping @Sendable (_ end: Instant) -> () -> Void,
        fail: @escaping @Sendable (LockError) -> Void
    ) {
        self.path = path
        self.timeout = timeout
        self.body = body
        self.fail = fail
        end = BootClock.now() + timeout
    }

    func carryOut() {
        // Nobody would wait for its answer; and who comes late because there is too much to do must not add to it.
        if BootClock.now() >= end { return giveUp() }
        guard moves(from: .queued, to: .running) else { return }
        let answer = body(end)
        if moves(from: .running, to: .over) { answer() }
    }

    /// Ends the wait: a request that has not begun never will; one that has may yet be applied.
    func giveUp() {
        if moves(from: .queued, to: .over) {
            fail(LockError(.unreachable, "\(path): no turn within \(timeout); the disk may hang"))
        } else if moves(from: .running, to: .over) {
            fail(LockError(.unknownOutcome, "\(path): no answer within \(timeout); the disk may hang"))
        }
    }

    private func moves(from before: Phase, to after: Phase) -> Bool {
        phase.withLock { phase in
            guard phase == before else { return false }
            phase = after
            return true
        }
    }
}
