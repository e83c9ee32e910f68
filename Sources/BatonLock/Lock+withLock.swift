// This source file is part of Baton.
// SPDX-License-Identifier: Apache-2.0

import BatonCore
import BatonSystem
import Synchronization

extension Lock {
    /// Runs `body` in a scope of its own: a token acquired inside is seen by its child tasks, and by nobody else.
    ///
    /// Only of use with `tokenScope: .task`. What is acquired is not released at its end. The seed's
    /// `thread_local=True` has a thread for a scope.
    ///
    /// - Parameter body: what runs in the scope.
    /// - Throws: what `body` throws.
    public func scoped<Result: Sendable>(_ body: () async throws -> Result) async rethrows -> Result {
        guard tokenScope == .task else { return try await body() }
        var scopes = Lock.scopes
        scopes[ObjectIdentifier(self)] = Holding()
        return try await Lock.$scopes.withValue(scopes) { try await body() }
    }

    /// Acquires the lock, runs `body`, and releases it. The seed's `with lock:`, with the heartbeat that the seed lacks.
    ///
    /// A lock with a timeout is renewed every third of it while the body runs. If the lease is lost the body's task is
    /// cancelled: it should end at once. The body has ended, and so has the renewal, before the lock is released. To
    /// release it in the body would leave the rest of the body without a lock, and end with `notOwned`.
    ///
    /// - Parameters:
    ///   - wait: whether, and for how long, to wait; nil: as the lock was made.
    ///   - sleep: the longest pause between two attempts, at least 1 ms; nil: as the lock was made.
    ///   - body: what needs the lock. It gets the lease, which stays up to date.
    /// - Returns: what `body` returns.
    /// - Throws: the body's error, whatever the release says. ``LockError`` with `notAcquired` when the time was up
    ///   first, or another error of ``acquire(_:sleep:token:)-(_,_,[UInt8]?)``: then the body did not run. When the
    ///   body ended well: `notOwned` if the lease had been lost, the store's error if the release failed.
    public func withLock<Result: Sendable>(
        _ wait: Wait? = nil, sleep: Duration? = nil, _ body: @escaping @Sendable (Lease) async throws -> Result
    ) async throws -> Result {
        try await scoped {
            let holding = holding
            guard let term = try await granted(wait, sleep: sleep) else {
                throw LockError(.notAcquired, lock: name, "unable to acquire the lock within the time allowed")
            }
            let (outcome, isLost) = await kept(term) { try await body(Lease(term: term)) }
            var releaseError: (any Error)?
            // Its own lock and no other's: if the lease was lost, another task may hold this `Lock` by now.
            do { try await release(term, of: holding) } catch { releaseError = error }
            let result = try outcome.get()
            if let releaseError { throw releaseError }
            if isLost { throw LockError(.notOwned, lock: name, "the lease was lost before the body had ended") }
            return result
        }
    }

    /// The body, while its lease is kept alive; it is cancelled when the lease is lost, which is told as well.
    private func kept<Result: Sendable>(
        _ term: Term, _ body: @escaping @Sendable () async throws -> Result
    ) async -> (Swift.Result<Result, any Error>, isLost: Bool) {
        guard let timeout, let deadline = term.deadline else {
            do { return (.success(try await body()), false) } catch { return (.failure(error), false) }
        }
        let heartbeat = Heartbeats.shared.start(term, client, timeout: timeout, deadline: deadline)
        let watch = TermWatch(term, looksAtClock: false)
        let ended = await withTaskGroup(of: (Swift.Result<Result, any Error>, Bool).self) { group in
            group.addTask {
                let result: Swift.Result<Result, any Error>
                do { result = .success(try await body()) } catch { result = .failure(error) }
                let isLost = term.isLost(at: BootClock.now())
                watch.stop()
                return (result, isLost)
            }
            // Apart from the renewals: one that does not come back must not keep the body going.
            if await watch.loss() != nil { group.cancelAll() }
            return await group.next() ?? (.failure(CancellationError()), true)
        }
        await Heartbeats.shared.stop(heartbeat)
        return ended
    }
}
